from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from splatworks_common.cameras import Camera
from splatworks_common.reasons import OutOfMemory
from splatworks_trainer.config import EngineName
from splatworks_trainer.memory import (
    available_bytes,
    photo_cache_bytes,
    predicted_bytes,
    require_gpu_memory,
    require_memory,
)

GB = 10**9
CACHE = GB
THREADS = 2
MACHINE = "MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:    8000000 kB\n"
NO_LIMIT_V1 = 0x7FFFFFFFFFFFF000


def photos(count: int, width: int = 1600, height: int = 1200) -> list[Camera]:
    return [
        Camera(f"{i}.jpg", np.eye(4), width, width, width / 2, height / 2, width, height)
        for i in range(count)
    ]


def system(folder: Path, files: Mapping[str, str]) -> tuple[Path, Path]:
    """A procfs and a cgroup file system with these files in them."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "proc", folder / "cgroup"


def test_each_gaussian_adds_the_same() -> None:
    none, one, two = (predicted_bytes(photos(10), n * 100_000, 960, CACHE, THREADS) for n in (1, 2, 3))

    assert two - one == one - none > 1200 * 100_000


def test_photos_that_are_compared_count_where_gaussians_are_few() -> None:
    few, more, most = (
        predicted_bytes(photos(1000), n, 960, CACHE, THREADS) for n in (100, 100_000, 1_000_000)
    )

    assert few == more < most


def test_photos_count_at_the_size_they_are_trained_at() -> None:
    few, many = (predicted_bytes(photos(n), 1_000_000, 800, CACHE, THREADS) for n in (10, 110))

    assert many - few == pytest.approx(100 * 800 * 600 * 3 * (1 + 1 / 4 + 1 / 16 + 1 / 64), rel=0.01)


def test_photos_are_never_counted_larger_than_they_are() -> None:
    assert predicted_bytes(photos(10), 1000, 8000, CACHE, THREADS) == predicted_bytes(
        photos(10), 1000, 1600, CACHE, THREADS
    )


def test_cached_photos_use_no_more_than_their_limit() -> None:
    with_cache, without = (predicted_bytes(photos(10_000), 1000, 960, size, THREADS) for size in (CACHE, 0))

    assert with_cache - without == CACHE


def test_the_largest_photo_must_be_decoded() -> None:
    mixed = [*photos(10), *photos(1, 12_000, 8_000)]

    assert predicted_bytes(mixed, 1000, 960, CACHE, THREADS) > 12_000 * 8_000 * 6


def test_each_thread_decodes_a_photo() -> None:
    large = photos(16, 16_000, 12_000)

    two, sixteen = (predicted_bytes(large, 1000, 960, CACHE, threads) for threads in (2, 16))

    assert sixteen - two == 14 * 16_000 * 12_000 * 8
    assert predicted_bytes(large, 1000, 960, CACHE, 64) == sixteen  # there are no more photos


def test_where_so_many_can_not_be_decoded_at_a_time_fewer_threads_are_the_remedy() -> None:
    large = photos(10, 16_000, 12_000)

    with pytest.raises(OutOfMemory, match="no number of Gaussians fits: use fewer threads"):
        require_memory(large, 1000, 960, CACHE, 16, 4 * GB)


def test_what_fits_passes() -> None:
    needed = predicted_bytes(photos(50), 280_000, 960, CACHE, THREADS)

    require_memory(photos(50), 280_000, 960, CACHE, THREADS, needed)


def test_what_does_not_fit_is_refused_with_the_numbers_and_what_would_fit() -> None:
    with pytest.raises(OutOfMemory) as refusal:
        require_memory(photos(50), 2_000_000, 960, CACHE, THREADS, 2 * GB)

    message = str(refusal.value)
    assert "training 2,000,000 Gaussians on 50 photos of at most 960 pixels would need" in message
    assert "2,000 MB are available" in message
    most = int(message.split("max_gaussians to at most ")[1].split(", or")[0].replace(",", ""))
    assert most < 2_000_000
    require_memory(photos(50), most, 960, CACHE, THREADS, 2 * GB)
    with pytest.raises(OutOfMemory):
        require_memory(photos(50), most + 1000, 960, CACHE, THREADS, 2 * GB)


def test_where_the_photos_alone_do_not_fit_smaller_ones_are_the_remedy() -> None:
    with pytest.raises(OutOfMemory, match="no number of Gaussians fits: set a smaller max_image_side"):
        require_memory(photos(50), 1000, 1600, CACHE, THREADS, GB // 10)


def test_where_so_many_can_not_be_compared_fewer_photos_are_the_remedy() -> None:
    with pytest.raises(OutOfMemory, match="no number of Gaussians fits: use fewer photos"):
        require_memory(photos(5000), 1000, 960, CACHE, THREADS, 3 * GB)


def test_a_gpu_that_is_too_small_is_told_with_the_number_that_fits() -> None:
    with pytest.raises(OutOfMemory, match="of the GPU's memory, and 1,000 MB are free") as refusal:
        require_gpu_memory(1_000_000, GB)

    most = int(str(refusal.value).split("max_gaussians to at most ")[1].split(", or")[0].replace(",", ""))
    require_gpu_memory(most, GB)
    with pytest.raises(OutOfMemory):
        require_gpu_memory(most + 1000, GB)


def test_beside_a_gpu_gaussians_take_less_of_the_machine_s_memory() -> None:
    cpu, gpu = (
        predicted_bytes(photos(50), 1_000_000, 960, CACHE, THREADS, engine)
        for engine in (EngineName.NATIVE, EngineName.GSPLAT)
    )

    assert cpu - gpu == 1200 * 1_000_000


def test_the_process_s_own_limit_counts_less_what_it_has_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (3 * GB, 3 * GB))
    files = {"proc/meminfo": MACHINE, "proc/self/status": "VmPeak:\t9 kB\nVmData:\t  1000000 kB\n"}

    assert available_bytes(*system(tmp_path, files)) == 3 * GB - 1_000_000 * 1024


def test_the_photo_cache_is_small_where_memory_is() -> None:
    assert photo_cache_bytes(400) == 100
    assert photo_cache_bytes(1 << 40) == 1 << 30


def test_without_cgroups_the_machine_says_what_is_free(tmp_path: Path) -> None:
    assert available_bytes(*system(tmp_path, {"proc/meminfo": MACHINE})) == 8_000_000 * 1024


@pytest.mark.parametrize("limited", ["", "pods/", "pods/a/"])
def test_the_tightest_of_all_cgroups_above_counts(tmp_path: Path, limited: str) -> None:
    files = {f"cgroup/{group}memory.max": "max\n" for group in ("pods/", "pods/a/")}
    files |= {f"cgroup/{group}memory.current": f"{GB}\n" for group in ("", "pods/", "pods/a/")}
    files |= {f"cgroup/{limited}memory.max": f"{3 * GB}\n"}
    files |= {"proc/meminfo": MACHINE, "proc/self/cgroup": "0::/pods/a\n"}

    assert available_bytes(*system(tmp_path, files)) == 2 * GB


def test_file_pages_that_nobody_uses_count_as_free(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MACHINE,
        "proc/self/cgroup": "0::/\n",
        "cgroup/memory.max": f"{3 * GB}\n",
        "cgroup/memory.current": f"{2 * GB}\n",
        "cgroup/memory.stat": f"anon 5\ninactive_file {GB}\nactive_file 7\n",
    }

    assert available_bytes(*system(tmp_path, files)) == 2 * GB


def test_a_path_of_the_host_that_the_container_lacks_leads_to_its_own_root(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MACHINE,
        "proc/self/cgroup": "9:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/docker/abc\n",
        "cgroup/memory/memory.limit_in_bytes": f"{3 * GB}\n",
        "cgroup/memory/memory.usage_in_bytes": f"{2 * GB}\n",
        "cgroup/memory/memory.stat": f"inactive_file 3\ntotal_inactive_file {GB // 2}\n",
    }

    assert available_bytes(*system(tmp_path, files)) == 3 * GB // 2


def test_a_version_1_group_without_a_limit_leaves_it_to_the_machine(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MACHINE,
        "proc/self/cgroup": "4:memory:/\n",
        "cgroup/memory/memory.limit_in_bytes": f"{NO_LIMIT_V1}\n",
        "cgroup/memory/memory.usage_in_bytes": f"{2 * GB}\n",
    }

    assert available_bytes(*system(tmp_path, files)) == 8_000_000 * 1024


def test_a_group_beyond_its_limit_has_nothing_left(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MACHINE,
        "proc/self/cgroup": "0::/\n",
        "cgroup/memory.max": "5\n",
        "cgroup/memory.current": "9\n",
    }

    assert available_bytes(*system(tmp_path, files)) == 0


def test_a_system_without_procfs_has_all_of_its_memory(tmp_path: Path) -> None:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    assert available_bytes(tmp_path, tmp_path) == physical


def test_this_machine_has_memory_left() -> None:
    assert 0 < available_bytes() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
