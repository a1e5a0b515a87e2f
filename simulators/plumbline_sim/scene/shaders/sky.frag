// Sky: gradient, sun with its halo, two layers of cloud.
uniform vec3 u_sun_dir;
uniform vec3 u_sun_rgb;
uniform vec3 u_zenith_rgb;
uniform vec3 u_fog_rgb;
uniform vec3 u_cloud_rgb;
uniform float u_cloud;       // 0 clear .. 1 closed
uniform float u_cloud_seed;
in vec3 v_ray;
out vec4 f_linear;

void main() {
    vec3 dir = normalize(v_ray);
    float up = clamp(dir.y, 0.0, 1.0);
    vec3 rgb = mix(u_fog_rgb, u_zenith_rgb, pow(up, 0.45));
    float near_sun = max(dot(dir, u_sun_dir), 0.0);
    rgb += u_sun_rgb * (0.06 * pow(near_sun, 8.0) + 0.35 * pow(near_sun, 90.0));
    rgb += u_sun_rgb * 30.0 * smoothstep(0.9996, 0.9999, near_sun) * (1.0 - u_cloud);
    if (dir.y > 0.01) {
        vec2 p = dir.xz / (dir.y + 0.12) * 1.6 + u_cloud_seed;
        float body = cloudy(p) + 0.55 * cloudy(p * 2.7 + 5.0) + 0.25 * cloudy(p * 6.1);
        float cover = smoothstep(0.42 - u_cloud * 1.1, 0.75 - u_cloud * 0.9, body + 0.2);
        float thick = cloudy(p * 0.7 + 31.0);
        rgb = mix(rgb, u_cloud_rgb * (1.0 + 0.25 * thick - 0.25 * smoothstep(0.3, 0.9, body)), cover * smoothstep(0.0, 0.1, dir.y) * (0.55 + 0.45 * u_cloud));
    }
    f_linear = vec4(rgb, 1.0);
}
