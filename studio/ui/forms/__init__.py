"""Edit forms made from an option table: they know kinds, not meanings.

- `option_rows`: `OptionRow`, `SetBy`: what a view model hands over; `read_entry`,
  `value_words`.
- `option_table`: `OptionTable`, the Expert form: all options, found, edited, reset.
- `option_form`: `OptionForm` and `OptionField`: a few options below each other.
"""
