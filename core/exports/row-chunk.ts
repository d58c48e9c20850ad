/** Whole rows with their bytes: as they go into the file, or on their way to it. */
export type RowChunk = {
  bytes: Buffer;
  rows: number;
  /** Cells that were altered so that no spreadsheet runs them; none without it. */
  neutralizedCells?: number;
  /** Where the bytes are used again: to be called, once, when nobody will read them any more. */
  giveBack?(): void;
};

/** Rows and the position behind them, whatever their reader takes for a position. */
export type PlacedChunk<Position> = RowChunk & { position: Position };
