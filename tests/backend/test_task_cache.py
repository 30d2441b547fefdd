"""What is kept of tasks."""

from types import SimpleNamespace

from manyseeds.backend.task_cache import CACHED_TASKS, TaskCache


def test_a_thing_is_made_once_a_task_and_key():
    kept, made = TaskCache(), []
    task, other = SimpleNamespace(key="a"), SimpleNamespace(key="b")

    def make():
        made.append(object())
        return made[-1]

    first = kept.once(task, "train", make)
    assert kept.once(SimpleNamespace(key="a"), "train", make) is first
    assert kept.once(task, "test", make) is not first
    assert kept.once(other, "train", make) is not first
    assert len(made) == 3


def test_the_task_used_longest_ago_goes_first():
    kept = TaskCache()
    tasks = [SimpleNamespace(key=str(number)) for number in range(CACHED_TASKS + 1)]
    for task in tasks[:-1]:
        kept.once(task, "train", object)
    first = kept.once(tasks[0], "train", object)
    second = kept.once(tasks[1], "train", object)
    kept.once(tasks[-1], "train", object)  # now one too many: the third goes
    assert kept.once(tasks[0], "train", object) is first
    assert kept.once(tasks[1], "train", object) is second
    third = kept.once(tasks[2], "train", lambda: "anew")
    assert third == "anew"
