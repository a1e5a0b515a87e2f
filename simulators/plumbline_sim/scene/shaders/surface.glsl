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

// A wall with a window in every bay and storey. The alpha says how much of the pixel is pane: 1 none, 0.5 all.
vec4 windowed(vec2 uv, vec2 unit, vec3 rgb, float contrast, float seed, float span) {
    float kind = floor(seed), own = fract(seed);
    vec2 at = uv + own * 411.0, cell = floor(uv / unit), f = fract(uv / unit), none;
    float a = hash(vec2(own * 97.0, 1.0)), b = hash(vec2(own * 97.0, 2.0)), c = hash(vec2(own * 97.0, 3.0));
    vec2 half_ = vec2(mix(0.17, 0.3, a), mix(0.2, 0.29, b)), mid = vec2(0.5, 0.53);
    if (kind == 2.0) half_ = vec2(mix(0.22, 0.34, hash(vec2(cell.x, own))), 0.25);
    if (kind == 3.0) { half_ = vec2(0.46, mix(0.34, 0.45, b)); mid.y = 0.55; }
    if (kind == 4.0) { half_ = vec2(c < 0.5 ? 0.5 : 0.4, mix(0.18, 0.3, b)); mid.y = 0.56; }
    bool ground_ = cell.y < 0.5 && c > 0.45 && kind < 2.0;
    if (ground_) { half_ = vec2(0.4, 0.36); mid.y = 0.46; }
    rgb *= 1.0 + contrast * (cloudy(at * 0.35) + 0.6 * cloudy(vec2(at.x * 1.4, at.y * 0.2)));
    if (kind == 0.0) {
        float line = joints(at, vec2(0.25, 0.08), 0.012, 0.5, span, none);
        rgb *= 1.0 - 0.22 * line + (hash(none) - 0.5) * 0.35 * fade(0.1, span);
    }
    if (kind == 2.0) rgb *= (1.0 - 0.4 * joints(uv, unit, 0.06, 0.0, span, none)) * (1.0 + 0.14 * (hash(cell + 5.0) - 0.5));
    if (kind == 1.0 || kind == 4.0) rgb *= 1.0 - 0.16 * (1.0 - smoothstep(0.0, 0.12 + span, abs(f.y - 0.03) * unit.y)) * step(0.4, a);
    if (kind == 1.0 && ground_) rgb *= 0.86;
    vec3 wall = rgb;
    vec2 d = (abs(f - mid) - half_) * unit;
    float soft = max(span * 0.6, 0.012), out_ = max(d.x, d.y);
    bool blind = kind < 2.0 && hash(vec2(cell.x, own * 57.0)) < 0.07;
    float hole = blind ? 0.0 : 1.0 - smoothstep(-soft, soft, out_);
    float trim = blind || kind > 2.0 ? 0.0 : (1.0 - smoothstep(-soft, soft, out_ - 0.16)) * (1.0 - hole) * step(0.5, b);
    rgb = mix(rgb, wall * 1.28 + 0.03, trim);
    float mull = kind == 3.0 ? 0.05 : 0.08;
    float bar = 1.0 - smoothstep(mull * 0.5, mull * 0.5 + soft, min(min(-d.x, -d.y), min(abs(f.x - mid.x) * unit.x, abs(f.y - mid.y - half_.y * 0.35) * unit.y + (kind == 3.0 ? 9.0 : 0.0))));
    vec3 frame = c < 0.6 ? vec3(0.66) : c < 0.8 ? vec3(0.14, 0.10, 0.08) : vec3(0.09);
    vec3 pane = vec3(0.022, 0.028, 0.036) + 0.05 * hash(cell + 11.0);
    float cloth = step(0.55, hash(cell + own * 31.0)) * step(0.35, abs(f.x - mid.x) / half_.x);
    pane = mix(pane, vec3(0.45, 0.43, 0.38), 0.7 * cloth * step(kind, 2.5));
    if (ground_) pane = mix(pane, 0.5 * vec3(hash(cell + 1.0), hash(cell + 2.0), hash(cell + 3.0)), 0.8 * step(0.74, f.y));
    rgb = mix(rgb, mix(pane, frame, bar), hole);
    float lintel = hole * (1.0 - smoothstep(0.0, 0.22 + soft, -(f.y - mid.y - half_.y) * unit.y)) + 0.5 * hole * (1.0 - smoothstep(0.0, 0.1 + soft, (f.x - mid.x + half_.x) * unit.x));
    rgb *= 1.0 - 0.55 * clamp(lintel, 0.0, 1.0);
    float sill = (1.0 - smoothstep(0.0, 0.05 + soft, abs((f.y - mid.y + half_.y) * unit.y + 0.06))) * step(abs(f.x - mid.x) - half_.x, 0.03) * (blind ? 0.0 : 1.0);
    rgb = mix(rgb, wall * 0.66 + 0.08, sill * 0.7 * step(kind, 2.5));
    float fine = fade(min(unit.x, unit.y) * 0.5, span);
    vec3 mean_ = mix(wall, vec3(0.05), 4.0 * half_.x * half_.y * 0.85);
    rgb = mix(mean_, rgb, fine);
    return vec4(max(rgb, vec3(0.0)), 1.0 - 0.5 * hole * (1.0 - bar) * (1.0 - cloth * 0.7) * fine);
}
// A quarter from afar: clumps of trees, roofs of several reds and greys, yards; patches of about `unit` metres.
vec3 district(vec2 at, float unit, vec3 rgb, float contrast, float span) {
    vec2 warped = at / unit + 0.35 * vec2(cloudy(at / unit * 1.3), cloudy(at / unit * 1.3 + 40.0));
    vec2 cell = floor(warped), f = fract(warped);
    float pick = hash(cell), wood = smoothstep(-0.15, 0.25, cloudy(at / unit * 0.16 + 12.0) + 0.35 * cloudy(at / unit * 1.1));
    vec3 roof = pick < 0.25 ? vec3(0.20, 0.12, 0.09) : pick < 0.5 ? vec3(0.19, 0.18, 0.175) : pick < 0.68 ? vec3(0.30, 0.28, 0.25) : pick < 0.74 ? vec3(0.45, 0.44, 0.42) : rgb * 0.9;
    vec3 green = rgb * (0.62 + 0.5 * (smooth_noise(at * 0.5) - 0.5) * fade(2.0, span) + 0.4 * cloudy(at * 0.11));
    float inside = smoothstep(0.08, 0.14 + span / unit, min(min(f.x, 1.0 - f.x), min(f.y, 1.0 - f.y)));
    vec3 built = mix(green, roof, inside * (1.0 - 0.0 * contrast));
    vec3 full = mix(built, green, wood);
    vec3 mean_ = mix(rgb * 0.72, vec3(0.2, 0.18, 0.16), 0.3 * (1.0 - wood));
    return mix(mean_, full, fade(unit * 0.7, span));
}

vec4 surface(uint pattern, vec2 uv, vec3 rgb, float alpha, vec4 look, float span) {
    vec2 unit = max(look.xy, vec2(0.01));
    float contrast = look.z, seed = look.w;
    vec2 at = uv + seed * 37.7;
    vec2 cell;
    if (pattern == 17u) return windowed(uv, unit, rgb, contrast, seed, span);
    if (pattern == 18u) return vec4(district(at, unit.x, rgb, contrast, span), alpha);
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
        float lump = cloudy(at / unit.x) + 0.8 * cloudy(at / unit.x * 3.7 + 11.0) * fade(unit.x * 0.5, span) + 0.7 * cloudy(at / unit.x * 13.0) * fade(unit.x * 0.15, span);
        float stone = smoothstep(0.9, 0.96, smooth_noise(at * 7.0)) * smoothstep(-0.1, 0.4, cloudy(at * 0.3 + 7.0)) * fade(0.2, span);
        rgb *= 1.0 + contrast * 1.5 * lump;
        rgb = mix(rgb, vec3(0.42, 0.40, 0.37), 0.5 * stone);
        float damp = smoothstep(-0.02, 0.55, cloudy(at * 0.11 + 3.0) + 0.4 * cloudy(at * 0.5));
        rgb *= mix(vec3(1.0), vec3(0.66, 0.6, 0.55), damp);
        rgb *= mix(vec3(1.0), vec3(1.14, 1.12, 1.08), smoothstep(0.1, 0.7, cloudy(at * 0.17 + 40.0)));
    } else if (pattern == 7u) {
        float blade = 0.8 * cloudy(at * 2.9) + 1.1 * (smooth_noise(at * 17.0) - 0.5) * fade(0.09, span) + 0.9 * (hash(floor(at * 31.0)) - 0.5) * fade(0.05, span);
        rgb *= 1.0 + contrast * 1.3 * blade;
        rgb *= 1.0 + 0.25 * cloudy(at * 0.21 + 9.0);
        rgb = mix(rgb, rgb * vec3(1.4, 1.15, 0.8), 0.8 * smoothstep(0.05, 0.7, cloudy(at * 0.13)));
        rgb = mix(rgb, vec3(0.23, 0.17, 0.11), 0.75 * smoothstep(0.5, 0.75, cloudy(at * 0.35 + 60.0) + 0.2 * cloudy(at * 3.0)));
    } else if (pattern == 8u) {
        float line = joints(at, unit, 0.02, 0.0, span, cell);
        rgb *= 1.0 + contrast * (cloudy(at * 0.5) + 0.5 * (hash(floor(at * 23.0)) - 0.5) * fade(0.05, span) + 0.7 * cloudy(at * 4.1) * fade(0.3, span));
        if (unit.x < 20.0) {
            rgb *= 1.0 + (hash(cell + seed) - 0.5) * 1.2 * contrast * fade(unit.x, span);
            rgb *= 1.0 - 0.35 * line;
        } else {  // asphalt: mended strips, cracks, oil
            vec2 mend = floor(at / vec2(7.0, 2.6));
            rgb *= 1.0 - 0.22 * step(0.86, hash(mend + 3.0)) - 0.5 * contrast * smoothstep(0.2, 0.6, cloudy(at * 0.9 + 30.0));
            float crack = 1.0 - smoothstep(0.0, 0.02 + span * 0.5, abs(cloudy(at * 0.23 + 5.0)) * 1.5);
            rgb *= 1.0 - 0.3 * crack * fade(0.2, span);
        }
    } else if (pattern == 9u) {
        float fold = cloudy(vec2(at.x * 0.8, at.y * 0.12)) + 0.5 * cloudy(vec2(at.x * 0.2, at.y * 0.5));
        float seam = 1.0 - smoothstep(0.0, max(0.05, span), abs(fract(at.x / 2.5) - 0.5) * 2.5);
        float lift = 1.0 - smoothstep(0.0, max(0.06, span), abs(fract(at.y / 2.0) - 0.5) * 2.0);
        rgb *= 1.0 + contrast * 2.0 * fold - 0.12 * max(seam, lift);
        alpha = clamp(alpha * (1.0 + 0.35 * fold) + 0.1 * max(seam, lift), 0.0, 1.0);
    } else if (pattern == 10u) {  // one card a unit of uv: a ragged clump of leaves, or of twigs where unit.y is 2
        vec2 card = floor(uv), f = fract(uv) - 0.5;
        vec2 q = f * 4.2 + hash(card + seed) * 91.0 + card * 1.7;
        float rim = 1.0 - 4.2 * dot(f, f);
        if (unit.y > 1.5) {
            float twig = min(abs(smooth_noise(q * 0.8) - 0.5), min(abs(smooth_noise(q * 1.5 + 23.0) - 0.5) * 1.3, abs(smooth_noise(q * 2.7 + 61.0) - 0.5) * 2.2));
            alpha = twig < 0.022 + min(0.22 * span, 0.035) && rim > 0.05 + 0.3 * (smooth_noise(q * 1.1 + 9.0) - 0.3) ? 1.0 : 0.0;
            rgb *= (0.9 + 0.3 * hash(card)) * (1.0 + 1.5 * min(span, 0.2));
        } else {
            float leaf = 0.9 * cloudy(q * 1.4) + 1.1 * (smooth_noise(q * 4.7) - 0.5) + 0.8 * (smooth_noise(q * 9.5 + 3.0) - 0.5);
            alpha = leaf + rim * 1.15 > 0.5 ? 1.0 : 0.0;
            rgb *= 1.0 + contrast * (1.1 * leaf + 2.2 * (smooth_noise(q * 11.0 + 9.0) - 0.5));
        }
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
