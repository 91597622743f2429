/** The editor of the end-to-end tests is installed below `npm test`, and must not take that npm's Node for its own. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { installEnvironment } from '../e2e/codeServer.js';

test('an install is told nothing of the npm and the Node around it, and keeps what the user set', () => {
  const env = installEnvironment(
    {
      PATH: '/bin',
      NODE: '/usr/bin/node',
      NODE_OPTIONS: '--inspect',
      INIT_CWD: '/project',
      npm_config_user_agent: 'npm/11.0.0 node/v20.20.2 linux x64',
      npm_execpath: '/npm.js',
      npm_lifecycle_event: 'test',
      npm_config_registry: 'https://registry.example/',
      HTTPS_PROXY: 'proxy',
    },
    '/node24/bin',
  );
  assert.deepEqual(env, {
    PATH: `/node24/bin${path.delimiter}/bin`,
    npm_config_registry: 'https://registry.example/',
    HTTPS_PROXY: 'proxy',
  });
});
