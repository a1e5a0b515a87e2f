// Only depth counts; sheer cloth casts half a shadow by leaving out every second texel.
in vec3 v_world;
in vec3 v_normal;
in vec2 v_uv;
in vec4 v_rgba;
flat in vec4 v_look;
flat in uvec4 v_ids;

void main() {
#ifdef SHEER
    if (v_rgba.a < 0.95 && mod(gl_FragCoord.x + gl_FragCoord.y, 2.0) < 1.0) discard;
#endif
#if PATTERN == 10u
    if (surface(10u, v_uv, vec3(1.0), v_rgba.a, v_look, 0.1).a < 0.5) discard;
#endif
}
