#version 330
// One face's corner: place it for the camera and for the sun, hand its look on.
uniform mat4 u_clip;
uniform mat4 u_sun_clip;
in vec3 position;
in vec3 normal;
in vec2 uv;
in vec4 rgba;
in vec4 look;
in uvec4 ids;
out vec3 v_world;
out vec3 v_normal;
out vec2 v_uv;
out vec4 v_rgba;
out vec4 v_shadow;
flat out vec4 v_look;
flat out uvec4 v_ids;

void main() {
    gl_Position = u_clip * vec4(position, 1.0);
    v_world = position;
    v_normal = normal;
    v_uv = uv;
    v_rgba = rgba;
    v_look = look;
    v_ids = ids;
    v_shadow = u_sun_clip * vec4(position, 1.0);
}
