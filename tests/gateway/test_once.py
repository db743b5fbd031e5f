"""A value that is worked out once."""

from gateway.once import once


def test_a_value_is_worked_out_when_first_asked_for_and_then_kept_for_each_object():
    class Counted:
        n_times = 0

        @once
        def value(self):
            """What it is."""
            self.n_times += 1
            return [self.n_times]

    one, other = Counted(), Counted()

    assert one.n_times == 0
    assert one.value is one.value
    assert (one.n_times, other.n_times) == (1, 0)
    assert other.value == [1]
    assert Counted.value.__doc__ == "What it is."
