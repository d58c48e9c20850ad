import type { RequestHandler } from 'express';
import { AppError } from '../../../core/errors.ts';
import { bundleType } from '../../../core/evidence/receipt.ts';
import type { Database } from '../../../prisma/client.ts';
import { getExport, isFinal } from '../../../prisma/exports/find.ts';
import { tenantOf } from '../../access/tenant-route.ts';
import { receiptExample } from '../../openapi/log-examples.ts';
import { idOf } from '../../openapi/parameters.ts';
import type { Route } from '../../route.ts';
import { exportIdOf } from './present.ts';

type Deps = { database: Database };

/** What was signed when the export was completed; the file may be gone since. */
export const getReceipt: Route<Deps> = {
  id: 'getReceipt',
  method: 'get',
  path: '/v1/exports/:id/receipt',
  summary: 'The signed receipt of a completed export',
  description:
    'A Sigstore bundle of an in-toto statement about the file, signed by a key of `/.well-known/logferry-keys.json`. It is the same for ever, also when the file has expired.',
  by: 'export',
  parameters: [idOf('export')],
  replies: {
    200: {
      description: 'The bundle',
      content: { [bundleType]: { schema: { type: 'object' }, example: receiptExample } },
    },
  },
  errors: ['conflict'],
  handle: sendReceipt,
};

function sendReceipt({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const row = await getExport(prisma, tenantOf(response).id, exportIdOf(request, response));
    const isCompleted = row.status === 'completed' || row.status === 'expired';
    const receipt = isCompleted && (await prisma.receipt.findUnique({ where: { exportId: row.id } }));
    if (!receipt) throw withoutReceipt(row.status);
    // As bytes, as Express would add a charset to the type of a text.
    response.setHeader('Content-Type', bundleType);
    response.send(Buffer.from(receipt.body));
  };
}

const withoutReceipt = (status: Parameters<typeof isFinal>[0]): AppError =>
  new AppError(
    'conflict',
    isFinal(status)
      ? `The export is ${status}, and has no receipt: only a completed one has.`
      : `The export is ${status}; its receipt is made when it is completed.`,
  );
