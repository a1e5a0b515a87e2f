// The class of what a pixel shows, without any softening: sheer cloth counts only where it covers.
uniform vec3 u_eye;
uniform float u_px_per_rad;
uniform float u_cover;
in vec3 v_world;
in vec3 v_normal;
in vec2 v_uv;
in vec4 v_rgba;
flat in vec4 v_look;
flat in uvec4 v_ids;
out vec4 f_ids;

void main() {
    vec3 to_eye = u_eye - v_world;
    float span = length(to_eye) / u_px_per_rad;
    uint aux = v_ids.y;
#if PATTERN == 17u
    if (surface(17u, v_uv, vec3(1.0), 1.0, v_look, span).a < 0.75) aux = 1u;  // a pane of a far wall is glazing too
#elif PATTERN == 10u
    if (surface(10u, v_uv, vec3(1.0), v_rgba.a, v_look, span).a < u_cover) discard;
#elif defined(SHEER)
    if (v_rgba.a < u_cover) discard;
#endif
    f_ids = vec4(float(aux), v_ids.zw, 255.0) / 255.0;
}
