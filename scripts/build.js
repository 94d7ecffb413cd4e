// Compiles src/ to dist/ and copies what the compiler does not: Lua scripts and page assets.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
cpSync('src', 'dist', { recursive: true, filter: (path) => !/\.ts$/.test(path) });
chmodSync('dist/main.js', 0o755);
