/* The module livekit_trio._ffi._bridge; py_face.h has what is to be known of its objects. */

#include "py_face.h"

/* Shared by the types */

struct state *state_of(PyObject *self) { return PyType_GetModuleState(Py_TYPE(self)); }

bool refuse_after_fork(PyObject *self) {
    if (core_disowned()) {
        PyErr_SetNone(state_of(self)->fork_error);
        return true;
    }
    return false;
}

void free_instance(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

PyObject *allocate(PyTypeObject *type) {
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return make(type, 0);
}

bool key_argument(PyObject *argument, uint64_t *key) {
    *key = PyLong_AsUnsignedLongLong(argument);
    return !PyErr_Occurred();
}

/* The module */

static PyObject *load(PyObject *module, PyObject *args) {
    PyObject *path;
    unsigned long long initialize, request, drop;
    const char *sdk, *version;
    if (!PyArg_ParseTuple(args, "UKKKss:load", &path, &initialize, &request, &drop, &sdk, &version)) {
        return NULL;
    }
    if (!initialize || !request || !drop) {
        PyErr_SetString(PyExc_ValueError, "the address of an entry point is 0");
        return NULL;
    }
    struct state *state = PyModule_GetState(module);
    PyObject *library = library_new(state, path);
    if (!library) {
        return NULL;
    }
    struct native native = {0};
    *(void **)&native.initialize = (void *)(uintptr_t)initialize;
    *(void **)&native.request = (void *)(uintptr_t)request;
    *(void **)&native.drop = (void *)(uintptr_t)drop;
    bool loaded;
    Py_BEGIN_ALLOW_THREADS
    loaded = core_load(native, sdk, version);
    Py_END_ALLOW_THREADS
    if (!loaded) {
        Py_DECREF(library);
        PyErr_SetString(PyExc_RuntimeError, "a native library has been loaded in this process already");
        return NULL;
    }
    return library;
}

static PyObject *import_name(const char *module_name, const char *name) {
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *value = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return value;
}

static bool add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type) {
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type && PyModule_AddType(module, *type) == 0;
}

static int module_exec(PyObject *module) {
    struct state *state = PyModule_GetState(module);
    if (!add_type(module, &library_spec, &state->library_type) || !add_type(module, &inbox_spec, &state->inbox_type) ||
        !add_type(module, &ring_spec, &state->ring_type) || !add_type(module, &buffer_spec, &state->buffer_type)) {
        return -1;
    }
    state->ring_statistics = import_name("livekit_trio._ffi._abc", "RingStatistics");
    state->refusal_error = import_name("livekit_trio._errors", "NativeRefusalError");
    state->fork_error = import_name("livekit_trio._errors", "UsedAfterForkError");
    PyObject *limits = import_name("livekit_trio._ffi._abc", "RouteLimits");
    state->default_limits = limits ? PyObject_CallNoArgs(limits) : NULL;
    Py_XDECREF(limits);
    return state->ring_statistics && state->refusal_error && state->fork_error && state->default_limits ? 0 : -1;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    struct state *state = PyModule_GetState(module);
    Py_VISIT(state->library_type);
    Py_VISIT(state->inbox_type);
    Py_VISIT(state->ring_type);
    Py_VISIT(state->buffer_type);
    Py_VISIT(state->ring_statistics);
    Py_VISIT(state->default_limits);
    Py_VISIT(state->refusal_error);
    Py_VISIT(state->fork_error);
    return 0;
}

static int module_clear(PyObject *module) {
    struct state *state = PyModule_GetState(module);
    Py_CLEAR(state->library_type);
    Py_CLEAR(state->inbox_type);
    Py_CLEAR(state->ring_type);
    Py_CLEAR(state->buffer_type);
    Py_CLEAR(state->ring_statistics);
    Py_CLEAR(state->default_limits);
    Py_CLEAR(state->refusal_error);
    Py_CLEAR(state->fork_error);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyMethodDef module_methods[] = {
    {"load", load, METH_VARARGS,
     "load(path, initialize, request, drop, sdk, version, /)\n--\n\n"
     "Initialise a native library, given the addresses of its entry points; once in a process.\n\n"
     "Args:\n"
     "    path: the loaded file, for `Library.path` only. Whoever loaded it keeps it loaded for ever.\n"
     "    initialize: the address of livekit_ffi_initialize.\n"
     "    request: of livekit_ffi_request.\n"
     "    drop: of livekit_ffi_drop_handle.\n"
     "    sdk: what the library tells the server about us.\n"
     "    version: our version.\n\n"
     "Raises:\n"
     "    RuntimeError: a library has been initialised in this process already."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "livekit_trio._ffi._bridge",
    .m_doc = "The C bridge to liblivekit_ffi; see native/bridge/core.c.",
    .m_size = sizeof(struct state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__bridge(void) { return PyModuleDef_Init(&definition); }
