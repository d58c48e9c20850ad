// What a backend does with @frontegg/client: it writes audits, lists them by filters, asks for the figures and the columns.
// Its addresses come from the environment, as its documentation has it. Prints one JSON object.
const { AuditsClient } = require('@frontegg/client');

const { CLIENT_ID, API_KEY, TENANT_ID: tenantId } = process.env;

async function main() {
  const audits = new AuditsClient();
  await audits.init(CLIENT_ID, API_KEY);
  for (const [severity, email] of [
    ['Info', 'a@example.com'],
    ['High', 'b@example.com'],
    ['Critical', 'a@example.com'],
  ]) {
    await audits.sendAudit({
      tenantId,
      time: new Date().toString(),
      user: 'Ada',
      resource: 'Portal',
      action: 'Login',
      severity,
      ip: '198.51.100.1',
      email,
      custom: { severity },
    });
  }
  const page = { tenantId, offset: 0, count: 10 };
  const all = await audits.getAudits({ ...page, sortBy: 'severity', sortDirection: 'ASC', filter: '' });
  const filtered = await audits.getAudits({ ...page, filters: { email: 'a@example.com', severity: 'Critical' } });
  const since = { createdAt: { $gt: '2020-01-01T00:00:00.000Z', $lt: '2999-01-01T00:00:00.000Z' } };
  const recent = await audits.getAudits({ ...page, count: 1, offset: 1, filters: since });
  const stats = await audits.getAuditsStats({ tenantId });
  const metadata = await audits.getAuditsMetadata();
  const changed = await audits.setAuditsMetadata({ properties: metadata.rows[0].properties.slice(0, 2) });
  await audits.setAuditsMetadata({ properties: metadata.rows[0].properties });
  const wrong = await audits.sendAudit({ tenantId, severity: 'Nothing' }).catch((error) => error.response);
  console.log(
    JSON.stringify({
      all,
      filtered,
      recent,
      stats,
      columns: metadata.rows[0].properties.map(({ name }) => name),
      changed: changed.rows[0].properties.map(({ name }) => name),
      wrong: { status: wrong.status, body: wrong.data },
    }),
  );
  // It refreshes its token by a timer, and has no way to be closed.
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
