/** Node's own import: the one in a test file belongs to the test runner, which transforms what it loads. */
exports.importModule = (url) => import(url);
