#!/usr/bin/env node
import { outliveReaders } from './cli/lost-output.ts';
import { program } from './cli/program.ts';

outliveReaders([process.stdout, process.stderr]);
await program(process.env).parseAsync();
