// Starts the viewer on the scene that the page names. The query can not name another: of all that the viewer's own
// page reads from it, only `noui` (nothing but the picture) and `webgl` (do not try WebGPU) count here.

const container = document.getElementById('scene');
const { content, settings, poster } = container.dataset;
const query = new URLSearchParams(location.search);
const ui = !query.has('noui');

const load = async (url) => {
    const response = await fetch(url);
    if (!response.ok) {
        throw new Error(`${url} is not available (${response.status})`);
    }
    return response;
};

const showProblem = (error) => {
    const message = document.getElementById('problem');
    message.textContent = `The scene can not be shown: ${error.message}`;
    message.hidden = false;
};

try {
    // The files start to load before the viewer, which is the larger part, has arrived.
    const contents = load(content);
    const experience = load(settings).then((response) => response.json());
    document.getElementById('all-scenes').hidden = !ui;

    const { createViewer } = await import('./viewer/index.js');
    const viewer = await createViewer({
        container,
        contentUrl: content,
        contents,
        settings: experience,
        posterUrl: poster,
        ui,
        noanim: true,
        aa: 'antialiased' in container.dataset,
        renderer: query.has('webgl') ? 'webgl' : 'webgpu'
    });
    await contents;

    // The viewer opens in its animation, paused at the first view. A visitor wants to turn the scene around.
    if (viewer.state.loaded) {
        viewer.resetCamera();
    } else {
        viewer.events.once('loaded:changed', () => viewer.resetCamera());
    }
} catch (error) {
    showProblem(error);
}
