"""One job: who it is and what it asks for. A value that drivers make and the pure modules read."""

from __future__ import annotations

from dataclasses import dataclass

from splatworks_operator.spec import SplatJobSpec
from splatworks_operator.status import StageStatus


@dataclass(frozen=True)
class Job:
    """One job: who it is and what it asks for.

    Attributes:
        uid: Its identity; unique for all time.
        name: Its name, unique in its namespace for now.
        namespace: Where it lives; "" on one machine.
        created: When it was made, in seconds since the epoch.
        generation: Counts the changes of ``spec``.
        spec: What is asked for.
        output_uri: The s3:// prefix under which each stage gets a folder.
        slug: The scene's name in URLs.
        viewer_base_url: What a scene's path is added to; "" leaves the path alone.
    """

    uid: str
    name: str
    spec: SplatJobSpec
    output_uri: str
    slug: str
    namespace: str = ""
    created: int = 0
    generation: int = 0
    viewer_base_url: str = ""

    @property
    def title(self) -> str:
        """The scene's name for people."""
        return self.spec.publish.title or self.name

    def request_id(self, stage: StageStatus) -> str:
        """The id of the stage's current attempt."""
        return f"{self.uid}.{stage.name}.{stage.attempt}"
