"""Azure Storage Queues: envelopes and sending. A queue carries wake-ups; what it loses, the sweep finds in SQL."""
