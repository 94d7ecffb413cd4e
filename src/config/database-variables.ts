import { databaseUrl } from './database-url.ts';
import { password, text } from './parsers.ts';
import { postgresSocketPath, socketPath } from './paths.ts';
import { group } from './variable.ts';

const databases = group('Databases');

/** Where each instance's own database is. */
export const DATABASE_VARIABLES = {
  DATABASE_SOCKET: databases.optional(
    socketPath,
    'none: no template may ask for a database',
    'The unix socket of the MariaDB server that gives each instance a database of its own, or with ' +
      'DATABASE_SERVER_URL the one that `try-it-now database-relay` opens. Its whole folder is mounted, ' +
      'read-only, into the instances of such templates, so it must be a folder for this socket alone.',
  ),
  DATABASE_SERVER_URL: databases.optional(
    databaseUrl(['mariadb', 'mysql'], 3306),
    'none: the server is on this host',
    'A MariaDB server that several nodes share, such as `mariadb://10.0.0.9:3306`, to which ' +
      '`try-it-now database-relay` leads DATABASE_SOCKET on each of them. See ' +
      '[one database server for several nodes](../fleet.md#databases).',
  ),
  DATABASE_USER: databases.required(
    text(80),
    'root',
    'The user who makes and drops the databases and users of the instances.',
  ),
  DATABASE_PASSWORD: databases.secret(
    password,
    'not set; needed for templates with a database',
    'That user’s password. Instances reach the same socket, so there must be one.',
  ),
  POSTGRES_SOCKET: databases.optional(
    postgresSocketPath,
    'none: no template may ask for a database on PostgreSQL',
    'The unix socket of the PostgreSQL server that gives each instance of a template with `engine: postgresql` a ' +
      'database of its own, or with POSTGRES_SERVER_URL the one that `try-it-now database-relay` opens. Its whole ' +
      'folder is mounted, read-only, into such instances, so it must be a folder for this socket alone.',
  ),
  POSTGRES_SERVER_URL: databases.optional(
    databaseUrl(['postgresql', 'postgres'], 5432),
    'none: the server is on this host',
    'As DATABASE_SERVER_URL, for POSTGRES_SOCKET: `postgresql://10.0.0.9:5432`.',
  ),
  POSTGRES_USER: databases.required(
    text(63),
    'postgres',
    'The superuser who makes and drops the databases and roles of the instances.',
  ),
  POSTGRES_PASSWORD: databases.secret(
    password,
    'not set; needed for templates with a database on PostgreSQL',
    'That user’s password. Instances reach the same socket, so there must be one.',
  ),
} as const;
