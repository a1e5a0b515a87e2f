// A face's own colour in linear light, before any light falls on it.
// Details finer than a pixel fade into their mean: `span` is how many metres a pixel covers.

float fade(float unit, float span) { return clamp(unit / (2.0 * span) - 0.6, 0.0, 1.0); }

// 1 in the joints of a grid of `unit`, its rows shifted by `shift` of a unit; `cell` gets the unit's number.
float joints(vec2 uv, vec2 unit, float joint, float shift, float span, out vec2 cell) {
    vec2 p = uv / unit;
    float row = floor(p.y);
    p.x += shift * mod(row, 2.0);
    cell = vec2(floor(p.x), row);
    vec2 edge = min(fract(p), 1.0 - fract(p)) * unit;
    float soft = max(joint * 0.5, span * 0.7);
    float line = max(1.0 - smoothstep(0.0, soft, edge.x), 1.0 - smoothstep(0.0, soft, edge.y));
    return line * min(1.0, joint / span) * 1.0;
}

vec4 surface(uint pattern, vec2 uv, vec3 rgb, float alpha, vec4 look, float span) {
    vec2 unit = max(look.xy, vec2(0.01));
    float contrast = look.z, seed = look.w;
    vec2 at = uv + seed * 37.7;
    vec2 cell;
    if (pattern == 1u || pattern == 2u || pattern == 3u) {
        float joint = pattern == 1u ? 0.014 : pattern == 2u ? 0.012 : 0.05;
        float shift = pattern == 3u ? 0.0 : 0.5;
        float line = joints(at, unit, joint, shift, span, cell);
        float each = (hash(cell + seed) - 0.5) * 2.0 * contrast * fade(min(unit.x, unit.y), span);
        rgb *= 1.0 + each + contrast * 0.6 * cloudy(at * 0.7);
        rgb *= 1.0 - line * (pattern == 2u ? 0.28 : pattern == 1u ? 0.35 : 0.45);
        if (pattern == 2u) {  // anchors: five discs a board
            vec2 p = fract(vec2(at.x / unit.x + 0.5 * mod(cell.y, 2.0), at.y / unit.y)) * unit;
            vec2 q = min(abs(p - unit * vec2(0.15, 0.2)), min(abs(p - unit * vec2(0.85, 0.8)), min(abs(p - unit * vec2(0.5, 0.5)), min(abs(p - unit * vec2(0.15, 0.8)), abs(p - unit * vec2(0.85, 0.2))))));
            float dot_ = 1.0 - smoothstep(0.03, 0.03 + span, max(q.x, q.y));
            rgb *= 1.0 - 0.3 * dot_ * fade(0.08, span * 0.5);
        }
    } else if (pattern == 4u) {
        float wave = sin(at.x / unit.x * 6.2832);
        rgb *= 1.0 + 0.22 * wave * fade(unit.x, span) + contrast * cloudy(at * 0.8);
    } else if (pattern == 6u) {
        float lump = cloudy(at / unit.x) + 0.7 * cloudy(at / unit.x * 4.0) * fade(unit.x * 0.25, span);
        rgb *= 1.0 + contrast * 1.6 * lump;
        rgb = mix(rgb, rgb * vec3(0.78, 0.72, 0.66), smoothstep(0.05, 0.5, cloudy(at * 0.11 + 3.0)));
    } else if (pattern == 7u) {
        float blade = cloudy(at * 1.7) + 0.6 * (hash(floor(at * 9.0)) - 0.5) * fade(0.12, span);
        rgb *= 1.0 + contrast * 1.5 * blade;
        rgb = mix(rgb, rgb * vec3(1.35, 1.1, 0.75), smoothstep(0.1, 0.6, cloudy(at * 0.13)));
    } else if (pattern == 8u) {
        float line = joints(at, unit, 0.02, 0.0, span, cell);
        rgb *= 1.0 + contrast * (cloudy(at * 0.5) + 0.4 * (hash(floor(at * 14.0)) - 0.5) * fade(0.07, span));
        rgb *= 1.0 - 0.3 * line * step(unit.x, 20.0);
    } else if (pattern == 9u) {
        float fold = cloudy(vec2(at.x * 0.8, at.y * 0.12)) + 0.5 * cloudy(vec2(at.x * 0.2, at.y * 0.5));
        float seam = 1.0 - smoothstep(0.0, max(0.05, span), abs(fract(at.x / 2.5) - 0.5) * 2.5);
        float lift = 1.0 - smoothstep(0.0, max(0.06, span), abs(fract(at.y / 2.0) - 0.5) * 2.0);
        rgb *= 1.0 + contrast * 2.0 * fold - 0.12 * max(seam, lift);
        alpha = clamp(alpha * (1.0 + 0.35 * fold) + 0.1 * max(seam, lift), 0.0, 1.0);
    } else if (pattern == 10u) {
        float leaf = cloudy(at * 2.6) + 0.5 * cloudy(at * 7.0);
        alpha = leaf + 0.35 > 0.0 ? 1.0 : 0.0;
        rgb *= 1.0 + contrast * 2.0 * leaf;
    } else if (pattern == 11u) {
        float run = cloudy(vec2(at.x * 1.3, at.y * 0.16)) + 0.5 * cloudy(at * 0.35);
        float crack = 1.0 - smoothstep(0.0, 0.03 + span * 0.6, abs(cloudy(at * 0.45 + 9.0) - 0.04) * 1.6);
        rgb *= 1.0 + contrast * 1.3 * run;
        rgb *= 1.0 - 0.25 * crack * contrast * 3.0 * fade(0.1, span * 0.5);
        float patch_ = smoothstep(0.34, 0.42, smooth_noise(at * 0.31 + 71.0) * smooth_noise(at * 0.9 + 5.0));
        rgb = mix(rgb, rgb * 0.8 + vec3(0.04, 0.037, 0.034), patch_ * min(1.0, contrast * 4.0));
    } else if (pattern == 12u) {
        vec2 p = at / unit.y;
        float edge = 1.0 - smoothstep(0.0, max(0.08, span / unit.y), min(fract(p.y), 1.0 - fract(p.y)));
        rgb *= 1.0 + contrast * (hash(vec2(floor(p.y), seed)) - 0.5) * 2.0 * fade(unit.y, span) + contrast * cloudy(vec2(at.x * 0.6, at.y * 7.0)) - 0.25 * edge * fade(unit.y, span);
    } else if (pattern == 16u) {
        float arc = cloudy(at * 1.1 + 0.8 * vec2(cloudy(at * 0.6), cloudy(at * 0.6 + 8.0)));
        float damp = smoothstep(-0.1, 0.35, cloudy(at * 0.33 + 21.0));
        vec2 weave = abs(fract(at / 0.9) - 0.5) * 0.9;
        float mesh_ = 1.0 - smoothstep(0.0, 0.02 + span, min(weave.x, weave.y));
        rgb *= 1.0 + contrast * (0.9 * arc - 0.9 * damp);
        rgb *= 1.0 + 0.06 * mesh_ * fade(0.15, span);
    } else {
        rgb *= 1.0 + contrast * (cloudy(at * 0.45) + 0.4 * cloudy(at * 3.0) * fade(0.3, span));
    }
    return vec4(max(rgb, vec3(0.0)), alpha);
}
