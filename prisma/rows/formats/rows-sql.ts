import type { RowPrinter } from '../../copy/row-printer.ts';

/** How the rows of an export are read: what is selected, how COPY gives it, and what makes rows of the file from that. */
export type RowsSql = { select: string; copyOptions: string; printer: RowPrinter };
