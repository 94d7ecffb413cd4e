/** What can give each instance a database of its own; the first is meant where a template names none. */
export const DATABASE_ENGINES = ['mariadb', 'postgresql'] as const;
export type DatabaseEngine = (typeof DATABASE_ENGINES)[number];

/** What each engine is called, and the settings that say where its server is; `url`: one that nodes share. */
export const DATABASE_SERVERS = {
  mariadb: {
    title: 'MariaDB',
    socket: 'DATABASE_SOCKET',
    url: 'DATABASE_SERVER_URL',
    user: 'DATABASE_USER',
    password: 'DATABASE_PASSWORD',
  },
  postgresql: {
    title: 'PostgreSQL',
    socket: 'POSTGRES_SOCKET',
    url: 'POSTGRES_SERVER_URL',
    user: 'POSTGRES_USER',
    password: 'POSTGRES_PASSWORD',
  },
} as const satisfies Record<DatabaseEngine, Readonly<Record<'title' | 'socket' | 'url' | 'user' | 'password', string>>>;

/** What an instance's database is filled from. The digest is the first 16 hexadecimal digits of the file's SHA-256. */
export interface DatabaseSeed {
  readonly engine: DatabaseEngine;
  readonly seedFile: string;
  readonly seedDigest: string;
}

/** The host's folder of each server's socket, where this node has one: instances of such templates see it. */
export type DatabaseFolders = Readonly<Partial<Record<DatabaseEngine, string>>>;
