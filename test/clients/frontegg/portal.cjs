// What a portal in a browser does with @frontegg/rest-api: it lists the audits of its user's tenant, shows figures and
// columns, and downloads a CSV. Node has fetch; of the rest of a browser it needs an address and a link to click on.
const { ContextHolder, api } = require('@frontegg/rest-api');

const { BASE_URL, TOKEN } = process.env;
globalThis.window = { location: { href: BASE_URL, search: '' } };

/** What the user would find in the downloads: name and content. */
let downloaded;
const blobs = new Map();
const { createObjectURL } = URL;
URL.createObjectURL = (blob) => {
  const url = createObjectURL(blob);
  blobs.set(url, blob);
  return url;
};
globalThis.document = {
  createElement: () => ({
    setAttribute(name, value) {
      this[name] = value;
    },
    click() {
      downloaded = blobs
        .get(this.href)
        .text()
        .then((text) => ({ name: this.download, text }));
    },
  }),
};

async function main() {
  ContextHolder.setContext({
    baseUrl: BASE_URL,
    tokenResolver: () => TOKEN,
    appId: 'app',
    metadataHeaders: { fronteggSdkVersion: '1.0.0', framework: 'test' },
  });
  const table = { sortBy: 'createdAt', sortDirection: 'desc', filter: '', offset: 0, count: 20 };
  const list = await api.audits.getAudits({ ...table });
  const filtered = await api.audits.getAudits({ ...table, severity: 'High', users: ['Ada'], email: undefined });
  const stats = await api.audits.getAuditsStats({ ...table });
  const metadata = await api.metadata.getAuditsMetadata();
  const { count, ...all } = table;
  const headerProps = metadata.properties.filter(({ showInTable }) => showInTable);
  for (const endpoint of ['csv', 'csv/v2']) {
    await api.audits.exportAudits({ ...all, headerProps, outputFileName: 'audits', endpoint });
  }
  const refused = await api.audits.getAudits({ ...table, offset: -1 }).catch((error) => error);
  console.log(
    JSON.stringify({
      list,
      filtered,
      stats,
      downloaded: await downloaded,
      refused: { message: refused.message, status: refused.statusCode, trace: refused.traceId },
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
