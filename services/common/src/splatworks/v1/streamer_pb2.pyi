import datetime

from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from splatworks.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Scene(_message.Message):
    __slots__ = ("slug", "title", "path", "compressed_uri", "gaussians", "size_bytes", "psnr", "publish_time")
    SLUG_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_URI_FIELD_NUMBER: _ClassVar[int]
    GAUSSIANS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PSNR_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    slug: str
    title: str
    path: str
    compressed_uri: str
    gaussians: int
    size_bytes: int
    psnr: float
    publish_time: _timestamp_pb2.Timestamp
    def __init__(self, slug: _Optional[str] = ..., title: _Optional[str] = ..., path: _Optional[str] = ..., compressed_uri: _Optional[str] = ..., gaussians: _Optional[int] = ..., size_bytes: _Optional[int] = ..., psnr: _Optional[float] = ..., publish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PublishSceneRequest(_message.Message):
    __slots__ = ("request_id", "output_uri", "timeout", "cache_policy", "compressed_uri", "gaussian_uri", "slug", "title")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_URI_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CACHE_POLICY_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_URI_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_URI_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    output_uri: str
    timeout: _duration_pb2.Duration
    cache_policy: _common_pb2.CachePolicy
    compressed_uri: str
    gaussian_uri: str
    slug: str
    title: str
    def __init__(self, request_id: _Optional[str] = ..., output_uri: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cache_policy: _Optional[_Union[_common_pb2.CachePolicy, str]] = ..., compressed_uri: _Optional[str] = ..., gaussian_uri: _Optional[str] = ..., slug: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class PublishSceneResponse(_message.Message):
    __slots__ = ("result", "scene")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.StageResult
    scene: Scene
    def __init__(self, result: _Optional[_Union[_common_pb2.StageResult, _Mapping]] = ..., scene: _Optional[_Union[Scene, _Mapping]] = ...) -> None: ...

class UnpublishSceneRequest(_message.Message):
    __slots__ = ("slug",)
    SLUG_FIELD_NUMBER: _ClassVar[int]
    slug: str
    def __init__(self, slug: _Optional[str] = ...) -> None: ...

class UnpublishSceneResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSceneRequest(_message.Message):
    __slots__ = ("slug",)
    SLUG_FIELD_NUMBER: _ClassVar[int]
    slug: str
    def __init__(self, slug: _Optional[str] = ...) -> None: ...

class GetSceneResponse(_message.Message):
    __slots__ = ("scene",)
    SCENE_FIELD_NUMBER: _ClassVar[int]
    scene: Scene
    def __init__(self, scene: _Optional[_Union[Scene, _Mapping]] = ...) -> None: ...

class ListScenesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListScenesResponse(_message.Message):
    __slots__ = ("scenes", "next_page_token")
    SCENES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    scenes: _containers.RepeatedCompositeFieldContainer[Scene]
    next_page_token: str
    def __init__(self, scenes: _Optional[_Iterable[_Union[Scene, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
