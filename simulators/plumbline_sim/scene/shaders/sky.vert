#version 330
// A triangle over the whole view; the ray through each pixel.
uniform mat4 u_ray;  // pixel corner in clip space to a direction in the world
out vec3 v_ray;

void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    gl_Position = vec4(corner, 0.999999, 1.0);
    v_ray = (u_ray * vec4(corner, 1.0, 1.0)).xyz;
}
