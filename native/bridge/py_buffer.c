/* NativeBuffer of _abc.py. */

#include "py_face.h"

typedef struct {
    PyObject_HEAD
    uint64_t handle;
    void *address;
    Py_ssize_t length;
} Buffer;

static void buffer_dealloc(PyObject *self) {
    uint64_t handle = ((Buffer *)self)->handle;
    if (handle) {
        Py_BEGIN_ALLOW_THREADS
        core_drop(handle);
        Py_END_ALLOW_THREADS
    }
    free_instance(self);
}

static int buffer_get(PyObject *self, Py_buffer *view, int flags) {
    Buffer *buffer = (Buffer *)self;
    static uint8_t nothing;
    return PyBuffer_FillInfo(view, self, buffer->address ? buffer->address : &nothing, buffer->length, 1, flags);
}

static Py_ssize_t buffer_length(PyObject *self) { return ((Buffer *)self)->length; }

static PyType_Slot buffer_slots[] = {
    {Py_tp_doc, "Native memory as a read-only buffer that owns a handle."},
    {Py_tp_dealloc, buffer_dealloc},
    {Py_bf_getbuffer, buffer_get},
    {Py_sq_length, buffer_length},
    {0, NULL},
};

PyType_Spec buffer_spec = {
    .name = "livekit_trio._ffi._bridge.Buffer",
    .basicsize = sizeof(Buffer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = buffer_slots,
};

PyObject *buffer_new(struct state *state, uint64_t handle, void *address, Py_ssize_t length) {
    Buffer *buffer = (Buffer *)allocate(state->buffer_type);
    if (buffer) {
        buffer->handle = handle;
        buffer->address = address;
        buffer->length = length;
    }
    return (PyObject *)buffer;
}
