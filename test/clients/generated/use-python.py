"""A client by openapi-python-client: as use-hey-api.ts. Run by test/clients/generators.test.ts."""

import sys

directory, base_url, key = sys.argv[1:]
sys.path.insert(0, directory)

from logferry_client import AuthenticatedClient  # noqa: E402
from logferry_client.api.events import list_events, write_event, write_events  # noqa: E402
from logferry_client.api.exports import create_export  # noqa: E402
from logferry_client.models import ExportRequest, Filter, NewEvent, NewEventBatch, Problem  # noqa: E402

client = AuthenticatedClient(base_url=base_url, token=key)
written = write_event.sync(client=client, body=NewEvent.from_dict({"action": "python.one"}))
assert written.data.action == "python.one", written
batch = NewEventBatch(events=[NewEvent.from_dict({"action": "python.two", "metadata": {"n": 1}})])
assert write_events.sync(client=client, body=batch).data[0].sequence_number > written.data.sequence_number
assert len(list_events.sync(client=client, action="python.*").data) == 2
body = ExportRequest.from_dict({"format": "csv", "csv": {"bom": True}})
made = create_export.sync(client=client, body=body, prefer="wait=20")
assert made.status == "completed" and made.download_url, made
refused = create_export.sync(client=client, body=ExportRequest(format_=body.format_, filter_=Filter(from_="never")))
assert isinstance(refused, Problem), refused
print(refused.error.type_.value, refused.errors[0].path)
