// Shows work/README.md anew when it changes on disk, so that the map is never out of date:
// JupyterLab alone would show the old text until its tab is opened again.
// Written by hand as the container that JupyterLab loads, so that nothing has to be built:
// https://jupyterlab.readthedocs.io/en/stable/extension/extension_dev.html#how-prebuilt-extensions-work
(() => {
  const PAGE = "README.md";
  const EVERY_MS = 1500;

  async function look(app) {
    const contexts = new Set(
      [...app.shell.widgets("main")]
        .map((widget) => widget.context)
        // What somebody is editing is left alone.
        .filter((context) => context?.path === PAGE && context.isReady && !context.model.dirty),
    );
    if (contexts.size === 0 || document.hidden) return;
    const disk = await app.serviceManager.contents.get(PAGE, { content: false });
    for (const context of contexts) {
      if (context.contentsModel?.last_modified !== disk.last_modified) await context.revert();
    }
  }

  const plugin = {
    id: "course:start-page",
    description: "Shows the start page anew when it changes.",
    autoStart: true,
    activate: (app) => {
      const again = () =>
        look(app)
          .catch(() => {}) // the server is away, or the page is: JupyterLab says so itself
          .finally(() => setTimeout(again, EVERY_MS));
      app.restored.then(again);
    },
  };

  (window._JUPYTERLAB ??= {}).course = {
    init: () => {},
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
