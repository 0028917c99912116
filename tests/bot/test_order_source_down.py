"""An order system that does not answer must neither break the chat nor look like a wrong proof."""

from bot import Conversations
from bot.turn import Act
from desk.inbox import Desk
from desk.order_http import HttpOrders, HttpOrderSettings

ORDER = "123-4567890-1234567"
NOWHERE = {"url": "http://127.0.0.1:1/{order_id}", "orders": {"paths": {"order.date": "date"}}, "attempts": 1}


def test_while_the_order_system_is_down_a_person_takes_over(database, tagger, knowledge):
    source = HttpOrders(HttpOrderSettings.model_validate(NOWHERE))
    desk = Desk(database)
    chats = Conversations(database, desk, tagger, knowledge, source, shop="Lumen & Co")
    started = chats.start("demo", "en")
    asked = chats.say(started.session_id, started.token, "Where is my parcel?", None)
    assert asked.act is Act.ASK_ORDER  # an empty table does not matter where another system knows the orders
    turn = chats.say(started.session_id, started.token, f"{ORDER} anna@example.com", None)
    assert turn.act is Act.HAND_OFF
    events = [event for event in desk.events(turn.ticket_id) if str(event.kind) == "handed_off"]
    assert "order_facts_missing" in str(events[0].data)
