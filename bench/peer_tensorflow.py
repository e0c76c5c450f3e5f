"""TensorFlow and Keras: training steps of the 784-128-10 network by tf.function, by a graph loop and by `fit`."""

import os

import peer

args = peer.arguments()
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras  # noqa: E402 - after the environment is set
import tensorflow as tf  # noqa: E402

import fashion_mnist  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(args.threads)
tf.config.threading.set_inter_op_parallelism_threads(args.threads)
X_ARRAY, Y_ARRAY = fashion_mnist.load(args.data)
X, Y = tf.constant(X_ARRAY), tf.constant(Y_ARRAY)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def make_net():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.layers.Input((784,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10)]
    )


def make_optimizer(job):
    return keras.optimizers.SGD(0.01) if job["optimizer"] == "sgd" else keras.optimizers.Adam(1e-3)


def make_step(job):
    """One training step as a Python function of a batch."""
    net, optimizer = make_net(), make_optimizer(job)
    variables = net.trainable_variables
    optimizer.build(variables)

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = LOSS(y, net(x, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    return step


def build_function(job):
    """One call of a compiled step per batch, driven from Python; rows in order."""
    step = tf.function(make_step(job), jit_compile=job["jit"])
    size = job["batch_size"]

    def epoch():
        for i in range(len(X_ARRAY) // size):
            step(X[i * size : (i + 1) * size], Y[i * size : (i + 1) * size])

    return epoch


def build_graph_loop(job):
    """The whole epoch is one graph, so Python is called once per epoch: TensorFlow's fastest way."""
    step, size = make_step(job), job["batch_size"]
    steps = len(X_ARRAY) // size

    @tf.function
    def epoch():
        loss = tf.constant(0.0)
        order = tf.random.shuffle(tf.range(steps * size)) if job["feed"] == "gather" else None
        for i in tf.range(steps):
            if job["feed"] == "gather":
                rows = order[i * size : (i + 1) * size]
                loss = step(tf.gather(X, rows), tf.gather(Y, rows))
            else:
                loss = step(X[i * size : (i + 1) * size], Y[i * size : (i + 1) * size])
        return loss

    return epoch


def build_fit(job):
    """Keras as its tutorials use it: shuffled, from arrays."""
    net, size = make_net(), job["batch_size"]
    net.compile(optimizer=make_optimizer(job), loss=LOSS)
    rows = len(X_ARRAY) // size * size
    return lambda: net.fit(X_ARRAY[:rows], Y_ARRAY[:rows], batch_size=size, epochs=1, shuffle=True, verbose=0)


BUILDERS = {"function": build_function, "graph_loop": build_graph_loop, "fit": build_fit}


def build(job):
    epoch, epochs = BUILDERS[job["mode"]](job), peer.epochs_per_repeat(len(X_ARRAY))

    def repeat():
        for _ in range(epochs):
            epoch()
        return epochs * (len(X_ARRAY) // job["batch_size"])

    return repeat


peer.serve(build, {"tensorflow": tf.__version__, "keras": keras.__version__})
