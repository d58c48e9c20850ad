import { strictObject } from '../strict-object.ts';
import { shortText } from '../tenants.ts';

/** What POST /v1/tenants/:id/log/restart takes: why what was shown of the log before is given up. */
export const logRestartSchema = strictObject({ reason: shortText(500) });
