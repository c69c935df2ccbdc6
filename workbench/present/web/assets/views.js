// The views by name, as the data's element names them.

const VIEWS = { stepper, pair, map: failureMap, compare: comparison, words };

function mountAll() {
  document.querySelectorAll(".pvw").forEach(mount);
}
