"""The SplatJob CustomResourceDefinition, made from the models of ``spec`` and the statuses of ``status``.

``definition.definition()`` is all that the outside needs; ``make api`` writes it into the chart. Pure: no
Kubernetes client, no files.
"""
