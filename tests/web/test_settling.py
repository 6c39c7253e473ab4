"""What other threads settle reaches whoever waits on the event loop."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from embellie.web.settling import settled


def test_every_answer_arrives_whichever_threads_settle_them():
    """Hundreds at once, from several threads, some of them failures: each waiter gets their own."""

    async def ask_all() -> list[object]:
        futures: list[Future[int]] = [Future() for _ in range(600)]

        def settle(which: int) -> None:
            for place in range(which, len(futures), 4):
                if place % 7:
                    futures[place].set_result(place)
                else:
                    futures[place].set_exception(ValueError(place))

        threads = [threading.Thread(target=settle, args=(which,)) for which in range(4)]
        waiting = asyncio.gather(*map(settled, futures), return_exceptions=True)
        await asyncio.sleep(0)
        for thread in threads:
            thread.start()
        return await asyncio.wait_for(waiting, 20)

    for _ in range(5):  # each time on another loop
        answers = asyncio.run(ask_all())
        assert [one if isinstance(one, int) else -one.args[0] for one in answers] == [
            place if place % 7 else -place for place in range(600)
        ]


def test_who_gives_up_spoils_nothing_for_the_others():
    """A wait that ran out, then the answer: the next one is told all the same."""

    async def ask() -> int:
        late: Future[int] = Future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(settled(late), 0.01)
        late.set_result(1)
        soon: Future[int] = Future()
        threading.Timer(0.01, soon.set_result, [2]).start()
        return await asyncio.wait_for(settled(soon), 20)

    assert asyncio.run(ask()) == 2
