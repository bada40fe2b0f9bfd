/** What a connection and an open transaction have in common. */

/** What can be asked, on its own or inside a transaction. */
export interface Queryable {
  /** Runs one statement (`$1`, `$2`, … from `values`); without values also several, separated by `;`. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}
