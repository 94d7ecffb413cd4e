import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { templateVersion, type Template } from '../domain/template.ts';
import { DATABASE_ENGINES } from '../domain/database.ts';
import { everything, parsed, withLines } from '../../test/support/catalogue.ts';

describe('a file that a template names', () => {
  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'try-it-now-catalogue-'));
    onTestFinished(() => rmSync(made, { recursive: true }));
    return made;
  };
  const found = (at: string, line: string, context = everything) =>
    parsed(withLines(line), join(at, 'apps.yaml'), context);

  it('is found from the folder of the catalogue', () => {
    const at = folder();
    mkdirSync(join(at, 'seeds'));
    writeFileSync(join(at, 'seeds', 'shop.sql'), 'CREATE TABLE a (b INT);');
    writeFileSync(join(at, 'shop.tar'), '');
    const {
      templates: [shop],
      problems: none,
    } = parsed(
      withLines('database: { seed: seeds/shop.sql }', 'checkpoint: { file: ./shop.tar }'),
      join(at, 'apps.yaml'),
    );
    expect(none).toEqual([]);
    expect(shop?.checkpoint.file).toBe(join(at, 'shop.tar'));
    expect(shop?.database).toEqual({
      engine: 'mariadb',
      seedFile: join(at, 'seeds', 'shop.sql'),
      seedDigest: createHash('sha256').update('CREATE TABLE a (b INT);').digest('hex').slice(0, 16),
    });
  });

  it('makes another version of the template when the seed has other content', () => {
    const at = folder();
    const versions = ['one', 'other'].map((content) => {
      writeFileSync(join(at, 'a.sql'), content);
      return templateVersion(found(at, 'database: { seed: a.sql }').templates[0] as Template);
    });
    expect(versions[0]).not.toBe(versions[1]);
  });

  it('may not be larger than a seed should be', () => {
    const at = folder();
    writeFileSync(join(at, 'a.sql'), '');
    truncateSync(join(at, 'a.sql'), 512 * 2 ** 20 + 1); // Sparse: takes no room on the disk.
    expect(found(at, 'database: { seed: a.sql }').problems).toEqual([
      expect.stringMatching(
        /apps\.yaml:5: templates\[0\]\.database\.seed is "a\.sql" \(.*a\.sql has 513 MiB\); .* of at most 512 MiB/,
      ),
    ]);
  });

  it('need not be there when it would not be used', () => {
    const off = { databaseEngines: DATABASE_ENGINES, usesCheckpoints: false };
    expect(found('/nowhere', 'checkpoint: { file: a.tar }', off).problems).toEqual([]);
    expect(found('/nowhere', 'checkpoint: { file: a.tar, enabled: false }').problems).toEqual([]);
    expect(found('/nowhere', 'checkpoint: { file: a.tar }').problems).toHaveLength(1);
  });

  it('fills a database on the engine that is named', () => {
    const at = folder();
    writeFileSync(join(at, 'a.sql'), '');
    const of = (engine: string) => found(at, `database: { engine: ${engine}, seed: a.sql }`);
    expect(of('postgresql').templates[0]?.database).toMatchObject({ engine: 'postgresql' });
    expect(of('oracle').problems).toEqual([
      expect.stringMatching(/apps\.yaml:5: templates\[0\]\.database\.engine is "oracle"; .*mariadb.*postgresql/),
    ]);
    const [one, other] = [of('mariadb'), of('postgresql')].map(({ templates: [template] }) => template);
    expect(one && templateVersion(one)).not.toBe(other && templateVersion(other));
  });

  it('does no good without a database server', () => {
    const at = folder();
    writeFileSync(join(at, 'a.sql'), '');
    const onlyMariadb = { databaseEngines: ['mariadb' as const], usesCheckpoints: true };
    expect(found(at, 'database: { engine: postgresql, seed: a.sql }', onlyMariadb).problems).toEqual([
      expect.stringMatching(/database is set but POSTGRES_SOCKET is not: .* of a PostgreSQL server/),
    ]);
    expect(found(at, 'database: { seed: a.sql }', { databaseEngines: [], usesCheckpoints: true }).problems).toEqual([
      expect.stringMatching(
        /apps\.yaml:5: templates\[0\]\.database is set but DATABASE_SOCKET is not: .*, or take the section out$/,
      ),
    ]);
  });
});
