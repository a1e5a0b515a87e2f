"""Draws a mesh: the one file that imports moderngl. Software EGL is enough, no screen is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.errors import MissingExtra, Unreachable
from plumbline_sim.scene.camera import Pinhole
from plumbline_sim.scene.light import Light
from plumbline_sim.scene.mesh import Mesh, Pattern

SHADOW_PX: Final = 1536
SKY_AUX: Final = 3
COVER: Final = 0.45
"""A sheer surface at least this dense hides what is behind it, and gives the pixel its class."""
_OWN_SHAPE: Final = (int(Pattern.LEAVES), int(Pattern.WINDOWS))
"""Patterns whose class or outline the shader decides."""
_DRAWN_LAST: Final = tuple(int(p) for p in (Pattern.SOIL, Pattern.GRASS, Pattern.PAVED, Pattern.DISTRICT))
_NEAR_M, _FAR_M = 0.5, 2500.0
_BRIGHTEST: Final = 100.0
_FORMAT: Final = "3f 3f 2f 4f1 4f 4u1"
_NAMES: Final = ("position", "normal", "uv", "rgba", "look", "ids")


@dataclass(frozen=True, slots=True)
class Painted:
    """What the camera's pixels get: `linear` float32 [h, w, 3] RGB, `aux` uint8, `instance` int32, `depth_m` float32."""

    linear: NDArray[np.float32]
    aux: NDArray[np.uint8]
    instance: NDArray[np.int32]
    depth_m: NDArray[np.float32]


def paint(mesh: Mesh, camera: Pinhole, light: Light, size: tuple[int, int], *, middle: tuple[float, float, float], reach_m: float,
          photos: NDArray[np.uint8] | None = None) -> Painted:  # fmt: skip
    """The mesh as `camera` sees it at (width, height) pixels, one ray a pixel: draw finer and shrink for smooth edges.

    A software rasteriser's own multisampling costs three times what a picture of twice the pixels does.
    Shadows fall within `reach_m` of `middle`. `photos` [n, 256, 256, 3] RGB are what Pattern.PHOTO picks from. Raises
    MissingExtra without moderngl, Unreachable where the machine has no EGL.
    """
    return _painter().paint(mesh, camera, light, size, middle, reach_m, photos)


@lru_cache(maxsize=1)
def _painter() -> _Painter:
    try:
        import moderngl  # noqa: PLC0415 - only who draws needs it
    except ModuleNotFoundError:
        raise MissingExtra("drawing scenes", "sim", "moderngl") from None
    try:
        context = moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]  # its stub is wrong
    except Exception as error:  # noqa: BLE001 - glcontext raises bare Exceptions
        raise Unreachable(
            f"no OpenGL without a screen: {error}",
            hint="Install Mesa's: apt-get install libegl1 libgl1-mesa-dri",
        ) from None
    return _Painter(context)


class _Painter:
    """One context with its programs and buffers; made once a process, used by one thread."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._programs: dict[tuple[str, int, bool], Any] = {}
        self._sky = _program(context, "sky.vert", "noise.glsl", "sky.frag")
        self._sky_array = context.vertex_array(self._sky, [])
        self._shadow_map = context.depth_texture((SHADOW_PX, SHADOW_PX))
        self._shadow_map.compare_func = ""
        self._shadow_map.filter = (context.NEAREST, context.NEAREST)
        self._shadow_frame = context.framebuffer(depth_attachment=self._shadow_map)
        self._photos = context.texture_array((1, 1, 1), 3)
        self._photos_of: int | None = None
        self._frames: dict[tuple[int, int], tuple[Any, Any]] = {}

    def paint(self, mesh: Mesh, camera: Pinhole, light: Light, size: tuple[int, int], middle: tuple[float, float, float],
              reach_m: float, photos: NDArray[np.uint8] | None) -> Painted:  # fmt: skip
        context = self._context
        rows, solid = mesh.vertices()
        rows, solid_runs, sheer_runs = _by_pattern(rows, solid)
        buffer = context.buffer(rows.tobytes())
        lit, classes = self._frame(size)
        clip, sun_clip = _clip(camera, size), _sun_clip(light, middle, reach_m)
        width, height = size
        common = {
            "u_clip": clip, "u_sun_clip": sun_clip, "u_eye": camera.position_m,
            "u_px_per_rad": 0.5 * width / math.tan(math.radians(camera.hfov_deg) / 2),
        }  # fmt: skip
        self._use_photos(photos)
        context.enable(context.DEPTH_TEST)
        context.disable(context.BLEND)

        self._shadow_frame.use()
        self._shadow_frame.clear(depth=1.0)
        self._runs("shadow.frag", buffer, {**common, "u_clip": sun_clip}, solid_runs, sheer=False)
        self._runs("shadow.frag", buffer, {**common, "u_clip": sun_clip}, sheer_runs, sheer=True)

        lit.use()
        lit.clear(0, 0, 0, 1, depth=1.0)
        _set(self._sky, {
            "u_ray": _ray(clip, camera.position_m), "u_sun_dir": light.towards_sun, "u_sun_rgb": light.sun_rgb,
            "u_zenith_rgb": light.zenith_rgb, "u_fog_rgb": light.fog_rgb, "u_cloud_rgb": light.cloud_rgb,
            "u_cloud": light.cloud, "u_cloud_seed": light.cloud_seed,
        })  # fmt: skip
        context.disable(context.DEPTH_TEST)
        self._sky_array.render(context.TRIANGLES, vertices=3)
        context.enable(context.DEPTH_TEST)
        self._shadow_map.use(0)
        self._photos.use(1)
        look = {
            **common, "u_sun_dir": light.towards_sun, "u_sun_rgb": light.sun_rgb, "u_sky_rgb": light.ambient_rgb,
            "u_ground_rgb": light.bounce_rgb, "u_fog_rgb": light.fog_rgb, "u_fog_per_m": light.fog_per_m,
            "u_snow": light.snow, "u_wet": light.wet, "u_night": light.night, "u_lamps": light.lamps,
            "u_lamp_rgb": light.lamp_rgb, "u_shadow": 0, "u_photos": 1,
            "u_photo_count": 0.0 if photos is None else float(len(photos)),
        }  # fmt: skip
        self._runs("scene.frag", buffer, look, solid_runs, sheer=False)
        context.enable(context.BLEND)
        context.blend_func = context.SRC_ALPHA, context.ONE_MINUS_SRC_ALPHA
        self._runs("scene.frag", buffer, look, sheer_runs, sheer=True)
        context.disable(context.BLEND)

        classes.use()
        classes.clear(SKY_AUX / 255, 0, 0, 1, depth=1.0)
        self._runs("classes.frag", buffer, {**common, "u_cover": COVER}, solid_runs, sheer=False)
        self._runs("classes.frag", buffer, {**common, "u_cover": COVER}, sheer_runs, sheer=True)
        buffer.release()
        linear = np.frombuffer(lit.read(components=3, dtype="f2"), np.float16).reshape(height, width, 3)
        ids = np.frombuffer(classes.read(components=4, dtype="f1"), np.uint8).reshape(height, width, 4)
        depth = np.frombuffer(classes.read(attachment=-1, components=1, dtype="f4"), np.float32).reshape(
            height, width
        )
        return Painted(
            linear=np.nan_to_num(linear.astype(np.float32), nan=0.0, posinf=_BRIGHTEST), aux=ids[..., 0].copy(),
            instance=ids[..., 1].astype(np.int32) + 256 * ids[..., 2].astype(np.int32),
            depth_m=(2 * _FAR_M * _NEAR_M / (_FAR_M + _NEAR_M - (2 * depth - 1) * (_FAR_M - _NEAR_M))).astype(np.float32),
        )  # fmt: skip

    def _runs(
        self,
        fragment: str,
        buffer: Any,
        uniforms: dict[str, Any],
        runs: list[tuple[int, int, int]],
        *,
        sheer: bool,
    ) -> None:
        """Draw (pattern, first, count) runs, each by a program that knows no other pattern.

        A software rasteriser goes through every branch of a shader for every pixel: one program for all patterns would
        pay for all of them everywhere, and its `discard` would keep hidden pixels from being left out early.
        """
        for pattern, first, count in runs:
            kind = pattern if fragment == "scene.frag" or pattern in _OWN_SHAPE else 0
            key = fragment, kind, sheer
            if key not in self._programs:
                self._programs[key] = _program(
                    self._context, "scene.vert", "noise.glsl", "surface.glsl", fragment,
                    defines=f"#define PATTERN {kind}u\n" + ("#define SHEER\n" if sheer else ""),
                )  # fmt: skip
            self._draw(self._programs[key], buffer, uniforms, first, count)

    def _draw(self, program: Any, buffer: Any, uniforms: dict[str, Any], first: int, count: int) -> None:
        if count == 0:
            return
        _set(program, uniforms)
        present = [name for name in _NAMES if name in program]
        layout = " ".join(
            part if name in present else _skipped(part)
            for name, part in zip(_NAMES, _FORMAT.split(), strict=True)
        )
        array = self._context.vertex_array(program, [(buffer, layout, *present)])
        array.render(self._context.TRIANGLES, vertices=count, first=first)
        array.release()

    def _frame(self, size: tuple[int, int]) -> tuple[Any, Any]:
        if size not in self._frames:
            context = self._context
            light = context.framebuffer(
                context.renderbuffer(size, 4, dtype="f2"), context.depth_renderbuffer(size)
            )
            classes = context.framebuffer(context.texture(size, 4), context.depth_texture(size))
            self._frames[size] = light, classes
        return self._frames[size]

    def _use_photos(self, photos: NDArray[np.uint8] | None) -> None:
        if photos is None or self._photos_of == id(photos):
            return
        self._photos.release()
        count, height, width = photos.shape[:3]
        self._photos = self._context.texture_array(
            (width, height, count), 3, np.ascontiguousarray(photos).tobytes()
        )
        self._photos.build_mipmaps()
        self._photos_of = id(photos)


_SKIP: Final = {"3f": "3x4", "2f": "2x4", "4f1": "4x1", "4f": "4x4", "4u1": "4x1"}


def _skipped(part: str) -> str:
    return _SKIP[part]


def _by_pattern(
    rows: NDArray[Any], solid: int
) -> tuple[NDArray[Any], list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Rows with the solid triangles gathered by pattern, level ground last as most of it is hidden; then both parts' runs.

    What is sheer keeps its order.
    """
    kinds = rows["ids"][:solid:3, 0].astype(np.int64)
    order = np.argsort(np.where(np.isin(kinds, _DRAWN_LAST), kinds + 256, kinds), kind="stable")
    rows = rows.copy()
    rows[:solid] = rows[:solid].reshape(-1, 3)[order].reshape(-1)
    return rows, _runs_of(rows["ids"][:solid:3, 0], 0), _runs_of(rows["ids"][solid::3, 0], solid)


def _runs_of(kinds: NDArray[Any], first: int) -> list[tuple[int, int, int]]:
    if not len(kinds):
        return []
    edges = np.flatnonzero(np.diff(kinds.astype(np.int64))) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(kinds)]
    return [(int(kinds[a]), first + 3 * a, 3 * (b - a)) for a, b in zip(starts, ends, strict=True)]


def _program(context: Any, vertex: str, *fragments: str, defines: str = "") -> Any:
    folder = resources.files("plumbline_sim.scene") / "shaders"
    text = "\n".join((folder / name).read_text(encoding="utf-8") for name in fragments)
    return context.program(
        vertex_shader=(folder / vertex).read_text(encoding="utf-8"),
        fragment_shader=f"#version 330\n{defines}{text}",
    )


def _set(program: Any, uniforms: dict[str, Any]) -> None:
    """Give the program those it has kept; the compiler drops what it does not use."""
    for name, value in uniforms.items():
        if name in program:
            program[name] = tuple(map(tuple, value)) if name == "u_lamps" else value


def _clip(camera: Pinhole, size: tuple[int, int]) -> tuple[float, ...]:
    """The camera's projection for OpenGL, column by column; image rows run downwards as they are read back."""
    width, height = size
    pixels = camera.matrix(size)
    depth = pixels[2]
    near_far = np.array(
        [[(_FAR_M + _NEAR_M) / (_FAR_M - _NEAR_M), -2 * _FAR_M * _NEAR_M / (_FAR_M - _NEAR_M)]]
    )
    third = near_far[0, 0] * depth + np.array((0, 0, 0, near_far[0, 1]))
    rows = np.stack([2 * pixels[0] / width - depth, 2 * pixels[1] / height - depth, third, depth])
    return tuple(rows.T.ravel().tolist())


def _sun_clip(light: Light, middle: tuple[float, float, float], reach_m: float) -> tuple[float, ...]:
    towards = np.array(light.towards_sun)
    side = np.cross((0.0, 1.0, 0.0), towards)
    side /= max(float(np.linalg.norm(side)), 1e-9)
    up = np.cross(towards, side)
    axes = np.stack([side, up, -towards]) / np.array([[reach_m], [reach_m], [reach_m * 2]])
    rows = np.vstack([np.hstack([axes, (-axes @ np.array(middle))[:, None]]), (0, 0, 0, 1)])
    return tuple(rows.T.ravel().tolist())


def _ray(clip: tuple[float, ...], eye: tuple[float, float, float]) -> tuple[float, ...]:
    """Clip-space corners at the far plane to directions from the eye."""
    back = np.linalg.inv(np.array(clip).reshape(4, 4).T)
    move = np.eye(4)
    move[:3, 3] = -np.array(eye)
    # a far point's homogeneous scale is positive and the same along a ray: the direction needs no division
    whole = back.copy()
    whole[:3] -= np.outer(np.array(eye), back[3])
    return tuple(whole.T.ravel().tolist())
