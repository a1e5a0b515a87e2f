// Light on a face: sun with soft-edged shadow, sky and ground, lamps at night, then the air between.
uniform vec3 u_eye;
uniform vec3 u_sun_dir;      // towards the sun
uniform vec3 u_sun_rgb;
uniform vec3 u_sky_rgb;
uniform vec3 u_ground_rgb;
uniform vec3 u_fog_rgb;
uniform float u_fog_per_m;
uniform float u_snow;        // 0..1 cover of level faces
uniform float u_wet;         // 0..1
uniform float u_night;       // 0 day .. 1 night
uniform float u_px_per_rad;
uniform vec4 u_lamps[4];     // place and reach in metres; reach 0 is none
uniform vec3 u_lamp_rgb;
uniform sampler2D u_shadow;
uniform sampler2DArray u_photos;
uniform float u_photo_count;
in vec3 v_world;
in vec3 v_normal;
in vec2 v_uv;
in vec4 v_rgba;
in vec4 v_shadow;
flat in vec4 v_look;
flat in uvec4 v_ids;
out vec4 f_linear;

float lit(vec3 normal) {
    vec3 p = v_shadow.xyz / v_shadow.w * 0.5 + 0.5;
    if (any(lessThan(p, vec3(0.0))) || any(greaterThan(p, vec3(1.0)))) return 1.0;
    float bias = 0.0012 + 0.003 * (1.0 - max(dot(normal, u_sun_dir), 0.0));
    vec2 texel = 1.0 / vec2(textureSize(u_shadow, 0));
    float sum = 0.0;
    for (int i = -1; i <= 1; i += 2) for (int j = -1; j <= 1; j += 2)
        sum += step(p.z - bias, texture(u_shadow, p.xy + vec2(i, j) * texel * 0.6).r);
    return sum * 0.25;
}

vec3 sky_at(vec3 dir) {
    float up = clamp(dir.y, 0.0, 1.0);
    return mix(u_fog_rgb, u_sky_rgb, pow(up, 0.5));
}

void main() {
    vec3 to_eye = u_eye - v_world;
    float away = length(to_eye);
    vec3 view = to_eye / away;
    float steep = length(v_normal);  // 0 where a face has no area
    vec3 normal = steep > 1e-6 ? v_normal / steep : vec3(0.0, 1.0, 0.0);
    if (dot(normal, view) < 0.0) normal = -normal;
    float span = away / (u_px_per_rad * max(abs(dot(normal, view)), 0.15));
    const uint pattern = PATTERN;  // one program a pattern: see gl.py
    vec3 rgb = pow(v_rgba.rgb, vec3(2.2));
    vec4 own = vec4(rgb, v_rgba.a);
    if (pattern == 13u && u_photo_count > 0.0)
        own.rgb = pow(texture(u_photos, vec3(v_uv, mod(v_look.w, u_photo_count))).rgb, vec3(2.2)) * mix(vec3(1.0), rgb * 2.2, 0.5);
    else
        own = surface(pattern, v_uv, rgb, v_rgba.a, v_look, span);
    float pane_ = pattern == 17u ? clamp((1.0 - own.a) * 2.0, 0.0, 1.0) : 0.0;
    if (pattern == 17u) own.a = 1.0;
#if defined(SHEER) || PATTERN == 10u
    if (own.a < 0.02) discard;
#endif
    float snowy = u_snow * smoothstep(0.35, 0.8, normal.y) * (pattern == 10u || pattern == 5u ? 0.4 : 1.0);
    snowy *= 0.75 + 0.5 * cloudy(v_world.xz * 0.4);
    own.rgb = mix(own.rgb, vec3(0.82, 0.85, 0.9), clamp(snowy, 0.0, 1.0));
    float wet = u_wet * (0.4 + 0.6 * smoothstep(0.3, 0.8, normal.y));
    own.rgb *= 1.0 - 0.45 * wet;

    float shade = lit(normal);
    float facing = max(dot(normal, u_sun_dir), 0.0);
    if (pattern == 9u || pattern == 10u) facing = 0.55 * facing + 0.3 * max(dot(-normal, u_sun_dir), 0.0) + 0.15;  // light comes through
    vec3 light = u_sun_rgb * facing * shade;
    light += mix(u_ground_rgb, u_sky_rgb, 0.5 + 0.5 * normal.y) * (0.75 + 0.25 * shade);
    for (int i = 0; i < 4; ++i) {
        vec3 to_lamp = u_lamps[i].xyz - v_world;
        float reach = u_lamps[i].w, d = length(to_lamp);
        if (reach > 0.0) light += u_lamp_rgb * (0.25 + 0.75 * max(dot(normal, to_lamp / d), 0.0)) * pow(clamp(1.0 - d / (reach * 3.0), 0.0, 1.0), 2.0) / (1.0 + d * d / (reach * reach));
    }
    vec3 out_rgb = own.rgb * light;

    float gloss = pattern == 5u ? 0.75 : pattern == 14u ? 0.12 : 0.25 * wet;
    if (gloss > 0.0) {
        vec3 mirror = reflect(-view, normal);
        float rim = gloss * (0.25 + 0.75 * pow(1.0 - clamp(dot(normal, view), 0.0, 1.0), 3.0));
        if (pattern == 5u) {  // panes lie a little askew: each mirrors another piece of sky
            vec2 pane = floor(v_uv / max(v_look.xy, vec2(0.2)));
            mirror = normalize(mirror + 0.1 * vec3(hash(pane) - 0.5, hash(pane + 7.0) - 0.5, 0.0));
            rim = clamp(0.12 + 0.5 * pow(1.0 - clamp(dot(normal, view), 0.0, 1.0), 2.0) + v_look.z * (hash(pane + v_look.w) - 0.3), 0.03, 0.9);
        }
        vec3 seen = mirror.y > 0.0 ? sky_at(mirror) : u_ground_rgb * 1.2;
        seen += u_sun_rgb * 6.0 * pow(max(dot(mirror, u_sun_dir), 0.0), 400.0) * shade * step(0.01, gloss);
        out_rgb = mix(out_rgb, seen, rim);
    }
    if (pane_ > 0.01) {
        vec2 pane = floor(v_uv / max(v_look.xy, vec2(0.2)));
        vec3 mirror = normalize(reflect(-view, normal) + 0.12 * vec3(hash(pane) - 0.5, hash(pane + 7.0) - 0.5, 0.0));
        vec3 seen = mirror.y > 0.0 ? sky_at(mirror) : u_ground_rgb;
        float rim = clamp(0.10 + 0.35 * hash(pane + v_look.w) + 0.6 * pow(1.0 - clamp(dot(normal, view), 0.0, 1.0), 3.0), 0.0, 0.9);
        out_rgb = mix(out_rgb, seen, pane_ * rim);
        float lamp = step(hash(pane + v_look.w * 13.0), 0.34);
        out_rgb += pane_ * lamp * smoothstep(0.35, 0.9, u_night) * mix(vec3(0.75, 0.48, 0.2), vec3(0.7, 0.7, 0.66), step(0.7, hash(pane + 3.0))) * (0.4 + 0.6 * hash(pane + 9.0));
    }
    if (pattern == 15u) out_rgb = mix(out_rgb, rgb * 1.6, u_night);
    out_rgb = mix(u_fog_rgb, out_rgb, exp(-away * u_fog_per_m));
    f_linear = vec4(out_rgb, own.a);
}
