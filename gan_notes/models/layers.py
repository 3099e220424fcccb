"""The GRU of this book: Keras's layer on TensorFlow's fused cells; chapter 06.

Keras's own loop runs about ten small operations a time step. TensorFlow has the whole
cell as one operation, with its gradient; unrolling time over it makes TimeGAN's joint
phase several times faster on a CPU (see the benchmarks page).
"""

import keras
import tensorflow as tf

MAX_UNROLLED = 64  # steps; beyond it the graph takes longer to trace than it saves


def gpu() -> bool:
    """Whether TensorFlow may use a GPU: one is there, and it was not hidden."""
    return bool(tf.config.get_visible_devices("GPU"))


@keras.saving.register_keras_serializable("gan_notes")
class GRU(keras.layers.GRU):
    """A ``keras.layers.GRU`` with the same weights and outputs, faster on a CPU.

    The fused cells run where they apply: ``reset_after=False`` (the default here, and
    the cell of the TimeGAN authors), no mask, no dropout, default activations, a
    fixed length of at most 64 steps, and no GPU. Anything else is Keras's own loop.
    The fused cells have first derivatives only, so a critic under a gradient penalty
    takes ``keras.layers.GRU``.

    Parameters
    ----------
    units : int
        Size of the state.
    reset_after : bool
        False: the reset gate acts before the recurrent product (Cho et al., 2014).
        True: Keras runs cuDNN on a GPU.
    **kwargs
        As for ``keras.layers.GRU``.
    """

    supports_jit = False  # XLA does not have the fused cells

    def __init__(self, units: int, *, reset_after: bool = False, **kwargs):
        super().__init__(units, reset_after=reset_after, **kwargs)
        self.supports_jit = False

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Run the layer over time; Keras calls this with its checked arguments."""
        cell, length = self.cell, sequences.shape[1]
        fused = (
            not cell.reset_after
            and cell.use_bias
            and cell.activation is keras.activations.tanh
            and cell.recurrent_activation is keras.activations.sigmoid
            and not (cell.dropout or cell.recurrent_dropout)
            and mask is None
            and length is not None
            and length <= MAX_UNROLLED
            and self.compute_dtype == "float32"
            and not gpu()
        )
        if not fused:
            return super().inner_loop(sequences, initial_state, mask, training)
        state = initial_state[0] if isinstance(initial_state, list) else initial_state
        # A layer of this kind below has left its states as the list that is needed
        # here: cutting up what it has just put together takes a twentieth of a step.
        steps = getattr(sequences, "steps", None) or tf.unstack(sequences, axis=1)
        if self.go_backwards:
            steps = steps[::-1]
        states = _block_gru(state, *_block_weights(cell, sequences.shape[-1]), *steps)
        if not self.return_sequences:
            return states[-1], states[-1], [states[-1]]
        sequence = tf.stack(states, axis=1)
        sequence.steps = states
        return states[-1], sequence, [states[-1]]


def _block_weights(cell, inputs: int):
    """Reorder Keras's gates z|r|h into the operation's r|u (u is z) and c (is h).

    Each weight of the operation stacks the input rows over the recurrent rows.
    """
    z, r, h = tf.split(tf.concat([cell.kernel, cell.recurrent_kernel], 0), 3, axis=1)
    b_z, b_r, b_h = tf.split(tf.convert_to_tensor(cell.bias), 3)
    return tf.concat([r, z], 1), h, tf.concat([b_r, b_z], 0), b_h


@tf.custom_gradient
def _block_gru(state, w_ru, w_c, b_ru, b_c, *steps):
    """Run the fused cell over steps (n, inputs) each; return the states (n, units).

    The backward pass walks over the fused gradient and forms each weight's gradient
    in one product over all steps, instead of a small product a step. Steps and states
    are lists: stacking and transposing them took as long as the cells.
    """
    before, gates, states = [], [], []
    for x_t in steps:
        before.append(state)
        r, u, c, state = tf.raw_ops.GRUBlockCell(
            x=x_t, h_prev=state, w_ru=w_ru, w_c=w_c, b_ru=b_ru, b_c=b_c
        )
        gates.append((r, u, c))
        states.append(state)

    def backward(*d_states):
        d_next = tf.zeros_like(state)
        d_steps, d_rus, d_cs = [], [], []
        for x_t, h_prev, (r, u, c), d_h in zip(
            steps[::-1], before[::-1], gates[::-1], d_states[::-1], strict=True
        ):
            d_x_t, d_next, d_c, d_ru = tf.raw_ops.GRUBlockCellGrad(
                x=x_t,
                h_prev=h_prev,
                w_ru=w_ru,
                w_c=w_c,
                b_ru=b_ru,
                b_c=b_c,
                r=r,
                u=u,
                c=c,
                d_h=d_h + d_next,
            )
            d_steps.append(d_x_t)
            d_rus.append(d_ru)
            d_cs.append(d_c)
        d_ru, d_c = tf.concat(d_rus[::-1], 0), tf.concat(d_cs[::-1], 0)
        inputs, held = tf.concat(steps, 0), tf.concat(before, 0)
        reset = held * tf.concat([r for r, _, _ in gates], 0)

        def product(left, right):
            return tf.matmul(left, right, transpose_a=True)

        return (
            d_next,
            tf.concat([product(inputs, d_ru), product(held, d_ru)], 0),
            tf.concat([product(inputs, d_c), product(reset, d_c)], 0),
            tf.reduce_sum(d_ru, 0),
            tf.reduce_sum(d_c, 0),
            *d_steps[::-1],
        )

    return states, backward
