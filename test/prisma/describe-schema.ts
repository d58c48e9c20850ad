/** Types of columns as Postgres names them (format_type). One that is missing here is an error, never a guess. */
const columnTypes: Record<string, string> = {
  String: 'text',
  Boolean: 'boolean',
  Int: 'integer',
  BigInt: 'bigint',
  Float: 'double precision',
  DateTime: 'timestamp(3) without time zone',
  Json: 'jsonb',
  Bytes: 'bytea',
  'db.Uuid': 'uuid',
  'db.Json': 'json',
  'db.SmallInt': 'smallint',
  'db.Timestamptz(6)': 'timestamp(6) with time zone',
};

type Block = { name: string; table: string; lines: string[]; attributes: string[] };
type Field = { name: string; column: string; type: string; suffix: string; attributes: string };

/**
 * What a schema.prisma says of the database: one line for each column, index, foreign key and enum, in the words of
 * describe-database.ts. Knows the part of Prisma's language that our schema uses, and throws on a type that it does not know.
 */
export function describeSchema(text: string): string[] {
  const enums = readBlocks(text, 'enum');
  const models = readBlocks(text, 'model');
  const enumNames = new Map(enums.map((one) => [one.name, one.table]));
  return [
    ...enums.map((one) => `enum ${one.table}: ${one.lines.map(enumLabel).join(', ')}`),
    ...models.flatMap((model) => describeModel(model, models, enumNames)),
  ].sort();
}

function readBlocks(text: string, keyword: string): Block[] {
  return [...text.matchAll(new RegExp(`^${keyword} (\\w+) \\{\\n(.*?)^\\}`, 'gms'))].map(([, name, body]) => {
    const lines = body!
      .split('\n')
      .map((line) => line.replace(/\/\/.*$/, '').trim())
      .filter(Boolean);
    const attributes = lines.filter((line) => line.startsWith('@@'));
    const table = attributes.map((line) => line.match(/^@@map\("(\w+)"\)/)?.[1]).find(Boolean) ?? name!;
    return { name: name!, table, lines: lines.filter((line) => !line.startsWith('@@')), attributes };
  });
}

function enumLabel(line: string): string {
  return line.match(/@map\("(.*?)"\)/)?.[1] ?? line.split(/\s/)[0]!;
}

function readFields(model: Block): Field[] {
  return model.lines.map((line) => {
    const [, name, type, suffix = '', attributes = ''] = line.match(/^(\w+)\s+(\w+)(\?|\[\])?\s*(.*)$/)!;
    const column = attributes.match(/@map\("(\w+)"\)/)?.[1] ?? name!;
    return { name: name!, column, type: type!, suffix, attributes };
  });
}

function describeModel(model: Block, models: Block[], enumNames: Map<string, string>): string[] {
  const fields = readFields(model);
  const isRelation = (field: Field) => models.some((other) => other.name === field.type);
  const columns = fields.filter((field) => !isRelation(field));
  return [
    ...columns.map((field) => describeColumn(model, field, enumNames)),
    ...columns.flatMap((field) => describeFieldIndex(model, field)),
    ...model.attributes.flatMap((attribute) => describeIndex(model, attribute, fields)),
    ...fields.filter(isRelation).flatMap((field) => describeRelation(model, field, fields, models)),
  ];
}

function describeColumn(model: Block, field: Field, enumNames: Map<string, string>): string {
  const native = field.attributes.match(/@(db\.\w+(\([\d, ]+\))?)/)?.[1];
  const type = columnTypes[native ?? field.type] ?? (native ? undefined : enumNames.get(field.type));
  if (!type)
    throw new Error(`describe-schema.ts does not know the type ${native ?? field.type} of ${model.name}.${field.name}`);
  const list = field.suffix === '[]' ? '[]' : '';
  const nullable = field.suffix === '?' ? '' : ' not null';
  return `column ${model.table}.${field.column} ${type}${list}${nullable}${describeDefault(field)}`;
}

function describeDefault(field: Field): string {
  const value = field.attributes.match(/@default\(((?:[^()]|\([^()]*\))*)\)/)?.[1];
  if (value === undefined || /^(uuid|cuid|nanoid|ulid)\(/.test(value)) return '';
  if (value === 'now()') return ' default CURRENT_TIMESTAMP';
  return ` default ${value.replace(/^dbgenerated\("(.*)"\)$/, '$1').replace(/^"(.*)"$/, '$1')}`;
}

function describeFieldIndex(model: Block, { column, attributes }: Field): string[] {
  if (/@id\b/.test(attributes)) return [`primary key ${model.table}_pkey on ${model.table} using btree (${column})`];
  const unique = attributes.match(/@unique(?:\((.*?)\))?/);
  if (!unique) return [];
  const name = unique[1]?.match(/map: "(\w+)"/)?.[1] ?? `${model.table}_${column}_key`;
  return [`unique index ${name} on ${model.table} using btree (${column})`];
}

function describeIndex(model: Block, attribute: string, fields: Field[]): string[] {
  const [, kind, list, options] = attribute.match(/^@@(id|unique|index)\(\[((?:[^\]])*)\](.*)\)$/) ?? [];
  if (!kind) return [];
  const members = [...list!.matchAll(/(\w+)(\(sort: Desc\))?(?:,|$)/g)];
  const columnOf = (name: string) => fields.find((field) => field.name === name)!.column;
  const columns = members.map(([, name, descending]) => columnOf(name!) + (descending ? ' desc' : ''));
  const ending = { id: 'pkey', unique: 'key', index: 'idx' }[kind as 'id' | 'unique' | 'index'];
  const derived = [model.table, ...(kind === 'id' ? [] : members.map(([, name]) => columnOf(name!))), ending].join('_');
  const name = options!.match(/map: "(\w+)"/)?.[1] ?? derived;
  const method = options!.match(/type: (\w+)/)?.[1]?.toLowerCase() ?? 'btree';
  const prefix = { id: 'primary key', unique: 'unique index', index: 'index' }[kind as 'id' | 'unique' | 'index'];
  return [`${prefix} ${name} on ${model.table} using ${method} (${columns.join(', ')})`];
}

function describeRelation(model: Block, field: Field, fields: Field[], models: Block[]): string[] {
  const own = field.attributes.match(/fields: \[(.*?)\]/)?.[1]?.split(/,\s*/);
  if (!own) return [];
  const target = models.find((other) => other.name === field.type)!;
  const columnsOf = (names: string[], among: Field[]) =>
    names.map((name) => among.find((one) => one.name === name)!.column);
  const columns = columnsOf(own, fields);
  const references = columnsOf(field.attributes.match(/references: \[(.*?)\]/)![1]!.split(/,\s*/), readFields(target));
  const name = field.attributes.match(/map: "(\w+)"/)?.[1] ?? `${model.table}_${columns.join('_')}_fkey`;
  const onDelete = field.attributes.match(/onDelete: (\w+)/)?.[1] ?? (field.suffix === '?' ? 'SetNull' : 'Restrict');
  const onUpdate = field.attributes.match(/onUpdate: (\w+)/)?.[1] ?? 'Cascade';
  const ends = `on delete ${onDelete} on update ${onUpdate}`;
  return [
    `foreign key ${name} on ${model.table} (${columns.join(', ')}) to ${target.table} (${references.join(', ')}) ${ends}`,
  ];
}
