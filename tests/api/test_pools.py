"""Pools: places, turns, and what is refused."""

import asyncio
from time import monotonic

import pytest

from api.pools import Busy, Pool, pools, work_in
from index.serving import Serving

SOON = 5.0


def in_s(seconds):
    return monotonic() + seconds


async def settled():
    for _ in range(3):
        await asyncio.sleep(0)


def test_what_comes_when_the_queue_is_full_is_refused_at_once():
    async def crowd():
        pool = Pool("search", slots=1, queue=1, most_s=SOON)
        await pool.enter(in_s(SOON))
        waits = asyncio.create_task(pool.enter(in_s(SOON)))
        await settled()
        with pytest.raises(Busy, match="1 are worked on and 1 wait"):
            await pool.enter(in_s(SOON))
        waits.cancel()

    asyncio.run(crowd())


class Crowd:
    """A pool with one request in hand and as many waiting as may."""

    def __init__(self, queue):
        self.pool = Pool("search", slots=1, queue=queue, most_s=SOON)
        self.tasks = []

    async def comes(self, requests):
        """How many of these find a place in the queue."""
        before = self.pool.waiting
        self.tasks += [asyncio.create_task(self.pool.enter(in_s(SOON))) for _ in range(requests)]
        await settled()
        return self.pool.waiting - before

    async def served(self, requests):
        for _ in range(requests):
            self.pool.leave(monotonic())
            await settled()

    async def goes(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def test_half_as_many_wait_while_most_are_refused():
    async def overload():
        crowd = Crowd(queue=4)
        assert await crowd.comes(200) == 4
        await crowd.served(3)
        assert await crowd.comes(200) == 1
        await crowd.goes()
        assert crowd.pool.waiting == 0

    asyncio.run(overload())


def test_all_may_wait_again_once_a_place_was_free():
    async def overload():
        crowd = Crowd(queue=4)
        await crowd.comes(200)
        await crowd.served(5)
        assert await crowd.comes(200) == 4
        await crowd.goes()

    asyncio.run(overload())


def test_all_may_wait_while_as_many_are_refused_as_are_served():
    async def busy():
        crowd = Crowd(queue=4)
        await crowd.comes(5)
        for _ in range(100):
            await crowd.served(1)
            assert await crowd.comes(2) == 1
        assert crowd.pool.waiting == 4
        await crowd.goes()

    asyncio.run(busy())


def test_turns_come_in_the_order_of_arrival():
    async def queue():
        pool, order = Pool("search", slots=1, queue=9, most_s=SOON), []

        async def ask(name):
            entered = await pool.enter(in_s(SOON))
            order.append(name)
            await asyncio.sleep(0)
            pool.leave(entered)

        await asyncio.gather(*(ask(name) for name in "abcd"))
        assert (order, pool.busy, pool.waiting) == (["a", "b", "c", "d"], 0, 0)

    asyncio.run(queue())


def test_a_deadline_that_passes_in_the_queue_gives_the_place_up():
    async def wait():
        pool = Pool("search", slots=1, queue=1, most_s=SOON)
        entered = await pool.enter(in_s(SOON))
        with pytest.raises(Busy, match="nothing was done"):
            await pool.enter(in_s(0.01))
        assert pool.waiting == 0
        pool.leave(entered)
        assert pool.busy == 0

    asyncio.run(wait())


def test_who_has_gone_waits_no_more():
    async def leave():
        pool, gone = Pool("search", slots=1, queue=1, most_s=SOON), asyncio.get_running_loop().create_future()
        await pool.enter(in_s(SOON))
        waits = asyncio.create_task(pool.enter(in_s(SOON), gone))
        await settled()
        gone.set_result(None)
        with pytest.raises(asyncio.CancelledError):
            await waits
        assert pool.waiting == 0

    asyncio.run(leave())


def test_a_request_that_can_not_make_it_is_refused_before_it_waits():
    async def hopeless():
        pool = Pool("search", slots=1, queue=9, most_s=SOON)
        pool.leave(await pool.enter(in_s(SOON)) - 2.0)  # it took 2 seconds
        await pool.enter(in_s(SOON))
        assert 1.9 < pool.wait_s < 2.1
        with pytest.raises(Busy, match="no time for this one") as refused:
            await pool.enter(in_s(1.0))
        assert refused.value.retry_after_s == 3

    asyncio.run(hopeless())


def test_each_pool_has_threads_of_its_own():
    async def name(kind):
        work_in(made.by_name[kind])
        return await asyncio.to_thread(lambda: __import__("threading").current_thread().name)

    async def both():
        asyncio.get_running_loop().set_default_executor(made)
        return [await asyncio.create_task(name(kind)) for kind in ("search", "answers")]

    made = pools(Serving(search_threads=1), cores=1)
    assert asyncio.run(both()) == ["search_0", "answers_0"]


def test_paths_have_their_pools():
    made = pools(Serving(), cores=2)
    kinds = [made.of(path).name for path in ("/v1/search", "/v1/answers/1/replay", "/v1/chat/completions", "/health/ready", "/v1/keys")]
    assert kinds == ["search", "answers", "answers", "health", "other"]


@pytest.mark.parametrize(("cores", "here", "at_a_service"), [(1, 2, 4), (2, 2, 4), (16, 16, 32)])
def test_searches_that_wait_for_a_model_elsewhere_leave_room_for_others(cores: int, here: int, at_a_service: int):
    assert pools(Serving(), cores).by_name["search"].slots == here
    assert pools(Serving(), cores, model_here=False).by_name["search"].slots == at_a_service
    assert pools(Serving(batch_questions=False), cores).by_name["search"].slots == at_a_service
    assert pools(Serving(search_threads=7), cores).by_name["search"].slots == 7
