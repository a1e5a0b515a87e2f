// Value noise without a texture; the same on every driver within rounding.
float hash(vec2 p) {
    vec3 q = fract(vec3(p.xyx) * 0.1031);
    q += dot(q, q.yzx + 33.33);
    return fract((q.x + q.y) * q.z);
}
float smooth_noise(vec2 p) {
    vec2 cell = floor(p), f = fract(p);
    f = f * f * (3.0 - 2.0 * f);
    return mix(mix(hash(cell), hash(cell + vec2(1, 0)), f.x), mix(hash(cell + vec2(0, 1)), hash(cell + vec2(1, 1)), f.x), f.y);
}
// Three octaves, mean 0, about -1..1.
float cloudy(vec2 p) {
    return (smooth_noise(p) - 0.5) + 0.55 * (smooth_noise(p * 2.3 + 17.0) - 0.5) + 0.3 * (smooth_noise(p * 5.1 + 43.0) - 0.5);
}
