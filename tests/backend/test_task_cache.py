"""The cache of tasks: one object per task and key, the least recently used task dropped first."""

from types import SimpleNamespace

from manyseeds.backend.task_cache import CACHED_TASKS, TaskCache


def test_an_entry_is_made_once_for_each_task_and_key():
    cache, made = TaskCache(), []
    task, other = SimpleNamespace(key="a"), SimpleNamespace(key="b")

    def make():
        made.append(object())
        return made[-1]

    first = cache.once(task, "train", make)
    assert cache.once(SimpleNamespace(key="a"), "train", make) is first
    assert cache.once(task, "test", make) is not first
    assert cache.once(other, "train", make) is not first
    assert len(made) == 3


def test_the_least_recently_used_task_is_dropped_first():
    cache = TaskCache()
    tasks = [SimpleNamespace(key=str(number)) for number in range(CACHED_TASKS + 1)]
    for task in tasks[:-1]:
        cache.once(task, "train", object)
    first = cache.once(tasks[0], "train", object)
    second = cache.once(tasks[1], "train", object)
    cache.once(tasks[-1], "train", object)  # one too many: the third is dropped
    assert cache.once(tasks[0], "train", object) is first
    assert cache.once(tasks[1], "train", object) is second
    third = cache.once(tasks[2], "train", lambda: "anew")
    assert third == "anew"
