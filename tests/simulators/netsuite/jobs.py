"""Requests with `Prefer: respond-async`: a job each, found again by its number, and by its idempotency key."""

from dataclasses import dataclass, field


@dataclass
class Job:
    """One request that is answered later; its effect is done, its first poll still says "pending"."""

    number: int
    status: int
    body: dict
    location: str = ""
    polls: int = 0
    links: list = field(default_factory=list)

    @property
    def completed(self):
        """Tell whether the job is over, as far as the polls have been told."""
        return self.polls > 1


class Jobs:
    """The jobs of the account."""

    def __init__(self):
        self.by_number = {}
        self.by_key = {}

    def known(self, key):
        """Return the job submitted under an idempotency key, None where there is none."""
        return self.by_number.get(self.by_key.get(key)) if key else None

    def submit(self, key, status, body, location):
        """Note the outcome of a request; returns the job."""
        job = Job(len(self.by_number) + 1, status, body, location)
        self.by_number[job.number] = job
        if key:
            self.by_key[key] = job.number
        return job

    def shown(self, job, url):
        """Return what a poll of `/job/{n}` or of its task shows."""
        job.polls += 1
        progress = "pending" if not job.completed else "succeeded" if job.status < 400 else "failed"
        return {
            "links": [{"rel": "self", "href": url}],
            "completed": job.completed,
            "id": str(job.number),
            "progress": progress,
        }
