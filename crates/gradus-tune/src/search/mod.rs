//! Searching for the settings of a recipe that train the best model.
