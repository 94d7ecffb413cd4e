// Node-RED for one visitor: log in as demo / demo. What must be each instance's own comes with its activation.
const own = require('./own.js');

module.exports = {
  flowFile: 'flows.json',
  flowFilePretty: true,
  // Kept in plain text: a key would be the same in every instance restored from one checkpoint.
  credentialSecret: false,
  adminAuth: {
    type: 'credentials',
    users: async (username) => (username === 'demo' ? { username, permissions: '*' } : null),
    authenticate: async (username, password) =>
      username === 'demo' && password === 'demo' ? { username, permissions: '*' } : null,
  },
  httpAdminMiddleware: own.middleware,
  logging: { console: { level: 'warn', metrics: false, audit: false } },
  telemetry: { enabled: false, updateNotification: false },
  editorTheme: { tours: false, projects: { enabled: false }, page: { title: 'Node-RED: try it now' } },
  externalModules: { palette: { allowInstall: false } },
};
