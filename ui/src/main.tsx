import { chooseBackend } from './backend/choose';
import { start } from './start';

start(chooseBackend());
