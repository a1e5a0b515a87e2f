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
    if (v_ids.x == 17u) {  // a pane of a far wall is glazing too
        vec4 wall = surface(17u, v_uv, vec3(1.0), 1.0, v_look, span);
        f_ids = vec4(wall.a < 0.75 ? 1.0 : float(v_ids.y), v_ids.zw, 255.0) / 255.0;
        return;
    }
    vec4 own = v_ids.x == 10u ? surface(10u, v_uv, vec3(1.0), v_rgba.a, v_look, span) : v_rgba;
    if (own.a < u_cover) discard;
    f_ids = vec4(v_ids.yzw, 255u) / 255.0;
}
