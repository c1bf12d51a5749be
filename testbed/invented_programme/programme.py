"""An invented programme: what a newcomer sees first.

Three health centres, their CHWs, some hundred patients of whom a good part missed an appointment.
Everything follows from the moment and the seed: the same two give the same documents.
"""

from datetime import datetime, timedelta, timezone
from random import Random

from testbed.invented_programme import cht_configuration, chw_documents
from testbed.invented_programme.appointments import Appointments
from testbed.invented_programme.population import Document, Population, users

FIRST_SUPERVISOR = "supervisor_namilongo"  # whose list is the longest
MALAWI = timezone(timedelta(hours=2))  # without daylight saving


def documents(now: datetime, seed: int = 1) -> list[Document]:
    """All documents of the programme at `now`, which has a time zone."""
    now = now.astimezone(MALAWI)
    draw = Random(seed)  # noqa: S311 - invents, protects nothing
    sites = Population(now, draw).sites()
    appointments = Appointments(now, draw, sites)
    reports = appointments.documents()
    tasks = [
        task
        for site, traces in zip(sites, appointments.traces, strict=True)
        for task in chw_documents.tasks(now, draw, site, traces)
    ]
    targets = [
        target
        for site in sites
        for area in site.areas
        for target in chw_documents.targets(now, draw, area)
    ]
    contacts = [contact for site in sites for contact in site.contacts()]
    return [*cht_configuration.documents(), *contacts, *users(sites), *reports, *tasks, *targets]
