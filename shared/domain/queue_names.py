"""Names of the queues; triggers listen to what flows send to."""

WAKE_QUEUE = "deliver"
FLOOR_QUEUE = "floor-events"
