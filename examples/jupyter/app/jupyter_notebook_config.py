# One visitor's notebooks: log in with the password demo.
c = get_config()  # noqa: F821, Jupyter provides it
c.NotebookApp.ip = '0.0.0.0'
c.NotebookApp.port = 8888
c.NotebookApp.open_browser = False
c.NotebookApp.notebook_dir = '/notebooks'
# The instance's name is not known before its activation, and nobody else can reach its port.
c.NotebookApp.allow_remote_access = True
c.NotebookApp.password = 'sha1:4f1b6a2c9d3e:71094b8e01ed6d2d1a7f0ba7138e111217dfa39b'
c.NotebookApp.token = ''
c.NotebookApp.quit_button = False
c.NotebookApp.terminals_enabled = False
c.NotebookApp.nbserver_extensions = {'own_secret': True}
c.FileContentsManager.delete_to_trash = False
c.NotebookApp.log_level = 'WARN'
