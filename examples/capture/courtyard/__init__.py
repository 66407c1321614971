"""The walled courtyard of the sample capture: meshes, materials, furnishings; all generated, nothing loaded.

World axes: x east, y north, z up, in metres; the origin lies on the ground under the table's middle.
"""
