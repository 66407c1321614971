"""Surfaces: one recipe, a base colour with mottling at several scales, stains and bump, in many settings.

All are mostly diffuse. Textures are anchored to the element (``local``) or to the place (world position),
never to the camera, and never repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from courtyard.mesh import Floats


@dataclass(frozen=True)
class Stain:
    """A second colour in patches.

    Attributes:
        colour: Linear RGB.
        size: The patches' size in metres.
        cover: Share of the surface, 0..1.
        strength: Opacity of the patches, 0..1.
        low: Height in metres above which the stain thins out; None for everywhere.
    """

    colour: tuple[float, float, float]
    size: float
    cover: float
    strength: float = 0.8
    low: float | None = None


def surface(
    name: str,
    *,
    grains: Sequence[tuple[float, float]] = ((0.025, 0.35), (0.2, 0.25)),
    stretch: float = 1.0,
    stains: Sequence[Stain] = (),
    bump: float = 0.004,
    bump_size: float = 0.02,
    roughness: float = 0.85,
    image: Floats | None = None,
    translucent: float = 0.0,
) -> bpy.types.Material:
    """Makes a material.

    Args:
        name: Its name in Blender.
        grains: Mottling of the tint, each (size in metres, contrast 0..1).
        stretch: How many times longer than wide the grains and bumps are, along local x: wood.
        stains: Patches of other colours, anchored to the world.
        bump: Depth of the fine relief in metres.
        bump_size: Size of the fine relief in metres.
        roughness: Of the Principled shader.
        image: A painting ``[H, W, 3]`` in sRGB 0..1 that replaces the tint, mapped by uv.
        translucent: Share of light that shines through: leaves.
    """
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    graph = _Graph(material)
    scaled = graph.add("ShaderNodeVectorMath", operation="MULTIPLY", inputs={1: (1 / stretch, 1, 1)})
    graph.link(graph.attribute("local"), scaled.inputs[0])
    local = scaled.outputs[0]
    world = graph.add("ShaderNodeNewGeometry").outputs["Position"]

    base = graph.picture(name, image) if image is not None else graph.attribute("tint")
    colour = base
    for size, contrast in grains:
        noise = graph.noise(local, size, 3.0)
        factor = graph.ramp(noise, (0.3, 0.7), (1 - contrast, 1 + contrast))
        colour = graph.vector("MULTIPLY", colour, factor)
    for stain in stains:
        edge = 0.5 + 0.32 * (0.5 - stain.cover)
        mask = graph.ramp(
            graph.noise(world, stain.size, 4.0), (edge - 0.05, edge + 0.07), (0, stain.strength)
        )
        if stain.low is not None:
            height = graph.add("ShaderNodeSeparateXYZ")
            graph.link(world, height.inputs[0])
            mask = graph.math("MULTIPLY", mask, graph.ramp(height.outputs[2], (0.0, stain.low), (1.0, 0.0)))
        colour = graph.mix(mask, colour, stain.colour)

    shader = graph.nodes["Principled BSDF"]
    graph.link(colour, shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Specular IOR Level"].default_value = 0.25
    if bump:
        relief = graph.add("ShaderNodeBump", inputs={"Distance": bump, "Strength": 1.0})
        graph.link(graph.noise(local, bump_size, 3.0), relief.inputs["Height"])
        graph.link(relief.outputs[0], shader.inputs["Normal"])
    result = shader.outputs[0]
    if translucent:
        thin = graph.add("ShaderNodeBsdfTranslucent")
        graph.link(colour, thin.inputs["Color"])
        result = graph.blend(translucent, result, thin.outputs[0])
    # Bounced light sees the plain tint: it blurs all detail away, and the noise is most of the cost.
    plain = graph.add("ShaderNodeBsdfDiffuse")
    graph.link(base, plain.inputs["Color"])
    seen = graph.add("ShaderNodeLightPath").outputs["Is Camera Ray"]
    graph.link(graph.blend(seen, plain.outputs[0], result), graph.nodes["Material Output"].inputs["Surface"])
    return material


class _Graph:
    """A few words for building node trees."""

    def __init__(self, material: bpy.types.Material) -> None:
        self.tree = material.node_tree
        self.nodes = self.tree.nodes

    def add(self, kind: str, *, inputs: dict[Any, Any] | None = None, **settings: Any) -> Any:
        """A node with its settings and the default values of its inputs."""
        node = self.nodes.new(kind)
        for key, value in settings.items():
            setattr(node, key, value)
        for key, value in (inputs or {}).items():
            node.inputs[key].default_value = value
        return node

    def link(self, source: Any, target: Any) -> None:
        """Joins an output to an input."""
        self.tree.links.new(source, target)

    def attribute(self, name: str) -> Any:
        """A vertex attribute as a vector."""
        return self.add("ShaderNodeAttribute", attribute_name=name).outputs["Vector"]

    def noise(self, at: Any, size: float, detail: float) -> Any:
        """Fractal noise, mostly 0.3..0.7, whose largest features are ``size`` metres."""
        node = self.add("ShaderNodeTexNoise", inputs={"Scale": 1 / size, "Detail": detail, "Roughness": 0.6})
        self.link(at, node.inputs["Vector"])
        return node.outputs["Fac"]

    def ramp(self, value: Any, source: tuple[float, float], target: tuple[float, float]) -> Any:
        """Maps one interval to another, clamped."""
        node = self.add("ShaderNodeMapRange", inputs={1: source[0], 2: source[1], 3: target[0], 4: target[1]})
        self.link(value, node.inputs[0])
        return node.outputs[0]

    def math(self, operation: str, a: Any, b: Any) -> Any:
        """A scalar operation."""
        node = self.add("ShaderNodeMath", operation=operation)
        self.link(a, node.inputs[0])
        self.link(b, node.inputs[1])
        return node.outputs[0]

    def vector(self, operation: str, a: Any, b: Any) -> Any:
        """A vector operation."""
        node = self.add("ShaderNodeVectorMath", operation=operation)
        self.link(a, node.inputs[0])
        self.link(b, node.inputs[1])
        return node.outputs[0]

    def mix(self, factor: Any, a: Any, colour: tuple[float, float, float]) -> Any:
        """Blends ``a`` towards a fixed colour."""
        node = self.add("ShaderNodeMix", data_type="RGBA", inputs={7: (*colour, 1.0)})
        self.link(factor, node.inputs[0])
        self.link(a, node.inputs[6])
        return node.outputs[2]

    def blend(self, factor: Any, a: Any, b: Any) -> Any:
        """A mix of two shaders; ``factor``, a number or an output, is the second's share."""
        node = self.add("ShaderNodeMixShader")
        if isinstance(factor, float):
            node.inputs[0].default_value = factor
        else:
            self.link(factor, node.inputs[0])
        self.link(a, node.inputs[1])
        self.link(b, node.inputs[2])
        return node.outputs[0]

    def picture(self, name: str, pixels: Floats) -> Any:
        """An image texture of ``pixels`` ``[H, W, 3]`` (sRGB 0..1, first row at the top)."""
        height, width = pixels.shape[:2]
        image = bpy.data.images.new(name, width, height)
        opaque = np.concatenate([pixels[::-1], np.ones((height, width, 1))], axis=2)
        image.pixels.foreach_set(opaque.astype(np.float32).ravel())
        image.update()
        image.pack()
        node = self.add("ShaderNodeTexImage", image=image)
        return node.outputs["Color"]
